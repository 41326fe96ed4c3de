// The sign-in page and the overview. Talks Connect with JSON to the public APIs (https://connectrpc.com/docs/protocol): one POST a call.

/** The access token of this page; it dies with the page, the session lives in a cookie no script can read. */
let accessToken = "";
let renewal;
const refreshEveryMs = 3000;

const element = (id) => document.getElementById(id);

/** Calls an RPC. Throws an Error with the server's sentence. */
async function call(method, request = {}) {
  const send = () =>
    fetch(`/${method}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "connect-protocol-version": "1",
        authorization: `Bearer ${accessToken}`,
      },
      body: JSON.stringify(request),
    });
  let response = await send();
  if (response.status === 401 && (await renewSession())) response = await send();
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? `The server answered ${response.status}.`);
  return answer;
}

/** Opens, renews or ends the session; the answer carries the page's access token. */
async function session(method, body) {
  const response = await fetch("session", {
    method,
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  accessToken = answer.accessToken ?? "";
  clearTimeout(renewal);
  if (answer.expiresAt) renewal = setTimeout(renewSession, Math.max(answer.expiresAt - Date.now() - 60_000, 5000));
}

async function renewSession() {
  try {
    await session("PUT");
    return true;
  } catch {
    accessToken = "";
    show();
    return false;
  }
}

function show() {
  const signedIn = accessToken !== "";
  element("sign-in").hidden = signedIn;
  element("overview").hidden = !signedIn;
  element("sign-out").hidden = !signedIn;
  if (!signedIn) element("who").textContent = "";
}

const modelName = ({ project, model, name }) =>
  project === "default" ? (model ?? name) : `${project}.${model ?? name}`;
const short = (value) => value?.replace(/^[A-Z]+_(STATE|PHASE)_/, "").toLowerCase() ?? "";
const mebibytes = (bytes = 0) => `${Math.round(Number(bytes) / 2 ** 20)} MiB`;

function fill(id, rows) {
  const body = document.createElement("tbody");
  for (const cells of rows) {
    const row = body.insertRow();
    for (const cell of cells) row.insertCell().textContent = cell ?? "";
  }
  element(id).tBodies[0].replaceWith(body);
}

/** Why versions are batched or not, by "model version"; a version never changes. */
const batching = new Map();
const mostVersions = 100;

/** What is said of the newest version's batches: asked once for each version. */
async function loadBatching(models) {
  const missing = models.filter((m) => Number(m.newestVersion ?? 0) > 0 && !batching.has(versionKey(m)));
  await Promise.all(
    missing.slice(0, mostVersions).map(async (m) => {
      const wanted = { project: m.project, model: m.name, version: String(m.newestVersion) };
      const answer = await call("aimass.registry.v1.ModelService/GetVersion", wanted).catch(() => undefined);
      const signature = answer?.version?.signature;
      if (signature === undefined) return;
      batching.set(
        versionKey(m),
        [signature.batchable ? "yes" : "no", signature.batching?.reason].filter(Boolean).join(": "),
      );
    }),
  );
}

const versionKey = (m) => `${m.project}.${m.name} ${m.newestVersion}`;

async function overview() {
  const none = () => undefined;
  const [me, models, deployments, nodes, jobs] = await Promise.all([
    call("aimass.auth.v1.SessionService/WhoAmI"),
    call("aimass.registry.v1.ModelService/ListModels"),
    call("aimass.scheduler.v1.DeploymentService/ListDeployments"),
    call("aimass.scheduler.v1.FleetService/ListNodes", { page: { size: 1000 } }).catch(none),
    call("aimass.trainer.v1.TrainingService/ListJobs").catch(none),
  ]);
  await loadBatching(models.models ?? []);
  element("who").textContent = [me.principal, ...(me.roles ?? [])].join(" · ");
  fill(
    "models",
    (models.models ?? []).map((m) => [
      modelName(m),
      m.newestVersion,
      (m.aliases ?? []).map((a) => `${a.name} → ${a.version}`).join(", "),
      batching.get(versionKey(m)),
      m.description,
    ]),
  );
  fill(
    "deployments",
    (deployments.deployments ?? []).map(({ spec, status }) => [
      modelName(spec),
      (status?.aliases ?? []).map((a) => `${a.alias} → ${a.servedVersion ?? "none"}`).join(", "),
      (status?.versions ?? [])
        .map((v) => `v${v.version} ${short(v.phase)} × ${(v.replicaIds ?? []).length}`)
        .join(", "),
      status?.summary,
    ]),
  );
  const replicas = [...(nodes?.nodes ?? []).flatMap((n) => n.replicas ?? []), ...(nodes?.standaloneReplicas ?? [])];
  fill(
    "replicas",
    replicas.map((r) => [
      r.id,
      r.live ? (r.draining ? "draining" : "live") : "gone",
      r.device?.description || r.device?.id,
      mebibytes(r.memoryBytesUsed),
      (r.loaded ?? []).map((v) => `${modelName(v)} v${v.version} ${short(v.state)}`).join(", "),
    ]),
  );
  fill(
    "jobs",
    (jobs?.jobs ?? []).slice(0, 20).map((j) => [
      j.id,
      short(j.state),
      j.spec?.recipe,
      j.spec?.model,
      Object.entries(j.metrics ?? {})
        .map(([name, value]) => `${name} ${Number(value).toPrecision(4)}`)
        .join(", "),
    ]),
  );
}

async function refresh() {
  if (accessToken !== "") {
    try {
      await overview();
      element("overview-error").textContent = "";
    } catch (error) {
      element("overview-error").textContent = error.message;
    }
  }
  setTimeout(refresh, refreshEveryMs);
}

element("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  element("sign-in-error").textContent = "";
  try {
    await session("POST", { username: form.get("username"), password: form.get("password") });
    event.target.reset();
    show();
    await overview();
  } catch (error) {
    element("sign-in-error").textContent = error.message;
  }
});

element("sign-out").addEventListener("click", async () => {
  await session("DELETE").catch(() => {});
  accessToken = "";
  show();
});

await renewSession();
show();
refresh();
