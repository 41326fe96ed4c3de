import { SessionService } from "@aimass/api/auth";
import { ProjectService } from "@aimass/api/registry";
import { DeploymentService } from "@aimass/api/scheduler";
import { TrainingService } from "@aimass/api/trainer";
import type { Clock } from "@aimass/core";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Connection } from "../client/connection.ts";
import { wholeFleet } from "../client/whole-fleet.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** What of the mesh is looked at. */
export interface MeshUnderTest {
  readonly connection: Connection;
  /** Whether there should be one: somebody named a server, or a mesh runs on the data directory. */
  readonly expected: boolean;
  /** Where the logs are; absent when the mesh is somewhere else. */
  readonly logs: string | undefined;
  readonly clock: Pick<Clock, "now">;
}

/** What was found of a mesh. */
export interface MeshFound {
  readonly findings: Finding[];
  /** How far its clock was ahead of this machine's when it answered; undefined where none answered. */
  readonly aheadMs: number | undefined;
}

const timeoutMs = 5000;

/** Whether a mesh answers, and each of its parts through the router. */
export async function checkMesh(o: MeshUnderTest): Promise<MeshFound> {
  const { server } = o.connection;
  const answer = await fetchAnswer(`${server}/v2/health/ready`);
  if (typeof answer === "string") {
    const none = ok("mesh", `No mesh answers at ${server}. Start one with: aimass up`);
    const remedy = `Start it with \`aimass up\`, name another with --server URL${o.logs === undefined ? "" : `, or read ${o.logs}/router.log`}.`;
    const away = problem("mesh", `Nothing answers at ${server} (${answer}).`, remedy);
    return { findings: [o.expected ? away : none], aheadMs: undefined };
  }
  const date = Date.parse(answer.headers.get("date") ?? "");
  // Now: the parts are waited for, and time goes on.
  const aheadMs = Number.isNaN(date) ? undefined : date - o.clock.now();
  if (!/^(200|503)$/.test(`${answer.status}`)) {
    const remedy = "Name the mesh with --server URL, or stop that program and start one with `aimass up`.";
    return {
      findings: [problem("mesh", `What answers at ${server} is no router of a mesh (HTTP ${answer.status}).`, remedy)],
      aheadMs,
    };
  }
  const router = answer.ok
    ? ok("router", `The router at ${server} is ready.`)
    : problem(
        "router",
        `The router at ${server} is not ready: it has no policy or no routes yet.`,
        remedyFor("router", o.logs),
      );
  return { findings: [router, ...(await checkParts(o))], aheadMs };
}

async function checkParts({ connection, logs }: MeshUnderTest): Promise<Finding[]> {
  const options = { timeoutMs };
  const parts: readonly (readonly [part: string, ask: () => Promise<unknown>])[] = [
    ["auth", () => connection.client(SessionService).getJwks({}, options)],
    ["registry", () => connection.client(ProjectService).listProjects({ page: { size: 1 } }, options)],
    ["trainer", () => connection.client(TrainingService).listRecipes({}, options)],
    ["scheduler", () => connection.client(DeploymentService).listDeployments({ page: { size: 1 } }, options)],
  ];
  const asked = parts.map(([part, ask]) =>
    ask().then(
      () => ok(part, "It answers."),
      (error) => judgeAnswer(part, error, logs),
    ),
  );
  return [
    ...(await Promise.all(asked)),
    await checkConsole(connection.server, logs),
    ...(await checkReplicas(connection, logs)),
  ];
}

/** Who refuses a stranger is there. */
function judgeAnswer(part: string, error: unknown, logs: string | undefined): Finding {
  const { code, rawMessage } = ConnectError.from(error);
  if (code === Code.Unauthenticated || code === Code.PermissionDenied) return ok(part, "It answers.");
  return problem(part, `It does not answer: ${rawMessage}`, remedyFor(part, logs));
}

async function checkConsole(server: string, logs: string | undefined): Promise<Finding> {
  const answer = await fetchAnswer(`${server}/console/`);
  if (typeof answer !== "string" && answer.ok) return ok("console", `It is at ${server}/console/.`);
  const how = typeof answer === "string" ? answer : `HTTP ${answer.status}`;
  return warning("console", `The web page does not answer (${how}).`, remedyFor("console", logs));
}

/** Who may see machines alone learns of them. */
async function checkReplicas(connection: Connection, logs: string | undefined): Promise<Finding[]> {
  const fleet = await wholeFleet(connection, { timeoutMs }).catch(() => undefined);
  if (fleet === undefined) return [];
  const replicas = [...fleet.nodes.flatMap((node) => node.replicas), ...fleet.standaloneReplicas];
  const gone = replicas.filter(({ live }) => !live).map(({ id }) => id);
  const found = `${replicas.length - gone.length} of ${replicas.length} replicas are live`;
  if (replicas.length === gone.length)
    return [problem("replicas", `${found}: no model is served.`, remedyFor("agent", logs))];
  if (gone.length > 0) return [warning("replicas", `${found}; gone: ${gone.join(", ")}.`, remedyFor("agent", logs))];
  return [ok("replicas", `${found}.`)];
}

function remedyFor(part: string, logs: string | undefined): string {
  return logs === undefined
    ? `Look at the logs of the ${part}, and start it again.`
    : `Read ${logs}/${part}.log, and start the mesh again.`;
}

/** The answer, or why there is none. */
async function fetchAnswer(url: string): Promise<Response | string> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
    return cause?.code ?? cause?.message ?? message;
  }
}
