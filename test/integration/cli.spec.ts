import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ProjectService } from "@aimass/api/registry";
import { Connection, CredentialsFile, childProcessesOf } from "@aimass/cli";
import { mlpModel, textLengthModel, tinyModel } from "@aimass/onnx/samples";
import { type TempDirectory, tempDirectory, waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command, type CommandResult } from "../support/command.ts";
import { expectHelpful } from "../support/helpful.ts";

const diabetes = fileURLToPath(new URL("../../services/cli/data/diabetes.csv", import.meta.url));

let temporary: TempDirectory;
let data: string;
let up: RunningMesh;
let aimass: Command;

/** `aimass up` as a user has it in a terminal. */
interface RunningMesh {
  readonly launcher: ChildProcess;
  /** Process id of the supervisor, which the launcher started. */
  readonly supervisor: number;
  readonly url: string;
  /** The addresses it says that others can reach. */
  readonly listeners: readonly string[];
  /** Where it says that the administrator's password is. */
  readonly passwordFile: string;
  /** Resolves with the exit status. */
  readonly ended: Promise<number | null>;
}

async function startMesh(): Promise<RunningMesh> {
  const command = new Command({ XDG_CONFIG_HOME: join(temporary.path, "nobody") });
  const launcher = command.start([
    "up",
    "--data",
    data,
    "--port",
    "0",
    "--replicas",
    "1",
    "--no-triton-ports",
    "--json",
  ]);
  const ended = new Promise<number | null>((resolve) => launcher.once("close", resolve));
  let words = "";
  launcher.stderr?.on("data", (chunk: Buffer) => {
    words += chunk;
  });
  const said = await new Promise<Pick<RunningMesh, "url" | "listeners" | "passwordFile">>((resolve, reject) => {
    let text = "";
    launcher.stdout?.on("data", (chunk: Buffer) => {
      text += chunk;
      if (text.includes("}")) resolve(JSON.parse(text));
    });
    ended.then((status) => reject(new Error(`aimass up ended with ${status}: ${text}${words}`)));
  });
  const [child] = childProcessesOf(launcher.pid ?? expect.fail());
  return { launcher, supervisor: child?.pid ?? expect.fail(), ...said, ended };
}

/** Every process of the mesh on the data directory: its descendants, and on Linux whatever names the directory. */
function processesOf({ launcher }: RunningMesh): number[] {
  const found = new Set<number>();
  const add = (pid: number) => {
    found.add(pid);
    for (const child of childProcessesOf(pid)) add(child.pid);
  };
  add(launcher.pid ?? expect.fail());
  for (const pid of namingProcesses()) found.add(pid);
  return [...found];
}

function namingProcesses(): number[] {
  if (!existsSync("/proc/self/environ")) return [];
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  return pids.map(Number).filter((pid) => {
    try {
      return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "utf8").includes(data));
    } catch {
      return false;
    }
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // What nobody has waited for yet is dead all the same.
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function expectAllGone(pids: readonly number[], timeoutMs: number): Promise<void> {
  const left = () => [...pids, ...namingProcesses()].filter(isAlive);
  await waitFor(() => left().length === 0, { timeoutMs, intervalMs: 50, what: "every process to end" }).catch(() =>
    expect.fail(`still there: ${left().join(", ")}`),
  );
}

beforeAll(async () => {
  temporary = await tempDirectory();
  data = join(temporary.path, "data");
  up = await startMesh();
  aimass = new Command({ AIMASS_SERVER: up.url, XDG_CONFIG_HOME: join(temporary.path, "config") });
  for (const [name, bytes] of [
    ["tiny", tinyModel()],
    ["wider", mlpModel({ layers: [4, 8, 4], seed: 3 })],
    ["other", mlpModel({ layers: [6, 2], seed: 3 })],
    ["words", textLengthModel()],
  ] as const)
    writeFileSync(file(`${name}.onnx`), bytes);
  writeFileSync(file("password"), "correct horse battery staple\n");
}, 120_000);

afterAll(async () => {
  if (up?.launcher.exitCode === null && up.launcher.signalCode === null) {
    process.kill(-(up.launcher.pid as number), "SIGINT");
    await up.ended;
  }
  await temporary?.[Symbol.asyncDispose]();
}, 120_000);

const file = (name: string) => join(temporary.path, name);
const adminPassword = () => join(data, "auth", "admin-password");

/** Runs a command that must succeed; with `--json` its output must be one JSON value. */
async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const result = await aimass.run(...args, "--json");
  if (result.status !== 0) expect.fail(`aimass ${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

async function words(...args: string[]): Promise<string> {
  const result = await aimass.run(...args);
  if (result.status !== 0) expect.fail(`aimass ${args.join(" ")}: ${result.stdout}${result.stderr}`);
  expect(`${result.stdout}${result.stderr}`).not.toMatch(/undefined|\[object|NaN/);
  return result.stdout;
}

function expectFailure(result: CommandResult, status: number, sentence: RegExp): void {
  expect(result.stderr).toMatch(sentence);
  expect(result.status).toBe(status);
  expect(result.stderr).not.toMatch(/\n\s+at |node_modules|undefined/);
  expect(result.stdout).toBe("");
}

describe("the aimass command", { timeout: 180_000 }, () => {
  it("asks who does not exist to sign in, and keeps a session in a file of the user alone", async () => {
    expectFailure(await aimass.run("models", "push", "tiny", file("tiny.onnx")), 3, /aimass login/);
    const mesh = await words("status");
    expect(mesh).toMatch(/No replicas that you may see\..*Nothing is deployed that everybody may see\. Sign in/s);
    expectFailure(await aimass.run("login", "--password-file", file("password")), 3, /wrong/);
    expect(await words("login", "--password-file", adminPassword())).toMatch(/Signed in to .* as admin/);
    expect(statSync(join(temporary.path, "config/aimass/credentials.json")).mode & 0o077).toBe(0);
    expect(await json("whoami")).toMatchObject({ principal: "user:admin" });
  });

  it("pushes, shows, compares, serves, swaps and rolls back a model", async () => {
    expect(await json("models", "push", "tiny", file("tiny.onnx"), "--alias", "default")).toMatchObject({
      version: 1,
      state: "READY",
    });
    expect(await json("models", "push", "tiny", file("wider.onnx"), "-l", "team=red")).toMatchObject({ version: 2 });
    expect(await json<unknown[]>("models", "list")).toMatchObject([{ name: "tiny", newestVersion: 2 }]);
    const shown = await json<{ versions: unknown[]; moves: unknown[] }>("models", "show", "tiny");
    expect([shown.versions.length, shown.moves.length]).toEqual([2, 1]);
    expect(await json("models", "show", "tiny:2")).toMatchObject({ version: 2, labels: { team: "red" } });
    expect(await json("models", "diff", "tiny", "1", "2")).toMatchObject({ compatible: true });
    const plan = await json<{ fits: boolean }>("deploy", "tiny", "--dry-run");
    expect(plan.fits).toBe(true);
    expectFailure(await aimass.run("predict", "tiny"), 4, /tiny/);
    await json("deploy", "tiny");
    expect(await json("predict", "tiny", "--input", '{"x": [[1, 2, 3, 4]]}')).toMatchObject({ model_version: "1" });
    await json("models", "alias", "tiny", "default", "2", "-m", "wider is better");
    expect(await json("predict", "tiny")).toMatchObject({ model_version: "2" });
    expect(await json("models", "rollback", "tiny")).toMatchObject({ move: { toVersion: 1 } });
    expect(await json("predict", "tiny@default")).toMatchObject({ model_version: "1" });
    expect(await json("predict", "tiny:2")).toMatchObject({ model_version: "2" });
  });

  it("deploys on the replicas there are where more are wanted, and says so", async () => {
    const fewer = /3 replicas are wanted, and there is 1/;
    expect(await words("deploy", "tiny", "--replicas", "3", "--dry-run")).toMatch(fewer);
    expect(await words("deploy", "tiny", "--replicas", "3")).toMatch(fewer);
    await json("deploy", "tiny", "--replicas", "1");
  });

  it("pulls what was pushed, byte for byte", async () => {
    const folder = file("pulled");
    mkdirSync(folder, { recursive: true });
    await json("models", "pull", "tiny:2", folder);
    const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
    expect(digest(join(folder, "model.onnx"))).toBe(digest(file("wider.onnx")));
  });

  it("says where a version cannot be pulled to, and leaves nothing there", async () => {
    const notAFolder = file("password");
    expectFailure(
      await aimass.run("models", "pull", "tiny:2", notAFolder),
      1,
      /model\.onnx cannot be written \(EEXIST\)/,
    );
    const taken = file("taken");
    mkdirSync(join(taken, "model.onnx", "something"), { recursive: true });
    expectFailure(await aimass.run("models", "pull", "tiny:2", taken), 1, /model\.onnx is there with other content/);
    expect(readdirSync(taken)).toEqual(["model.onnx"]);
  });

  it("does not wait for a deployment that has nothing to serve", async () => {
    await json("models", "push", "lonely", file("tiny.onnx"));
    expectFailure(
      await aimass.run("deploy", "lonely"),
      1,
      /has no alias "default".*models alias lonely default VERSION/,
    );
    await json("deploy", "lonely", "--version", "1");
    expect(await json("predict", "lonely:1")).toMatchObject({ model_version: "1" });
    await json("deploy", "lonely", "--delete");
    expectFailure(await aimass.run("jobs", "retrain", "remove", "nightly"), 4, /no rule "nightly"/);
  });

  it("reviews a version where the project wants it", async () => {
    const session = {
      kind: "session",
      file: new CredentialsFile(join(temporary.path, "config/aimass/credentials.json")),
    };
    using admin = new Connection(up.url, session as { kind: "session"; file: CredentialsFile });
    await admin.client(ProjectService).createProject({ project: { name: "bank", reviewRequired: true } });
    expect(await json("models", "push", "bank.fraud", file("tiny.onnx"))).toMatchObject({ state: "VALIDATED" });
    expect(await json("models", "review", "bank.fraud:1", "--request")).toMatchObject({ state: "IN_REVIEW" });
    expectFailure(await aimass.run("models", "review", "bank.fraud:1", "--approve"), 3, /[Ss]omeone else/);
    expectFailure(await aimass.run("models", "alias", "bank.fraud", "default", "1"), 1, /review/i);
    expectFailure(await aimass.run("models", "review", "bank.fraud:1"), 2, /--request, --approve, --refuse/);
  });

  it("makes a project, and changes what it asks for", async () => {
    await words("projects", "create", "made", "--description", "For a while.");
    expect(await words("projects", "list")).toMatch(/made +- .*For a while\./);
    expect(await words("projects", "update", "made", "--review")).toContain("made: versions need a review.");
    expect(await words("projects", "list")).toMatch(/made +required .*For a while\./);
    expect(await words("projects", "update", "made", "--no-review")).toContain("made: versions need no review.");
    expect((await aimass.run("projects", "update", "made")).status).toBe(2);
    expect(await words("audit", "list", "--action", "project.updated")).toContain("user:admin");
    await json("models", "push", "made.m", file("tiny.onnx"));
    expect(await words("projects", "show", "made")).toMatch(/made: For a while\..*models: m$/ms);
    expectFailure(await aimass.run("projects", "delete", "made", "--dry-run"), 1, /has 1 models and 0 datasets/);
    await words("models", "update", "made.m", "-d", "Small.", "-l", "team=red", "size=s");
    expect(await words("models", "update", "made.m", "--remove-label", "size")).toMatch(/Small\.\nlabels: team=red$/m);
    expectFailure(await aimass.run("models", "update", "made.m", "--remove-label", "size"), 4, /no label "size"/);
    expectFailure(await aimass.run("models", "update", "made.m"), 2, /Nothing to change/);
    await words("models", "delete", "made.m");
    expect(await words("projects", "delete", "made", "--dry-run")).toMatch(/Would delete the project made/);
    expect(await words("projects", "delete", "made")).toMatch(/The project made is gone/);
    expectFailure(await aimass.run("projects", "show", "made"), 4, /no project "made"/);
  });

  it("trains a model on a data set that was pushed", async () => {
    expect(await json("datasets", "push", diabetes)).toMatchObject({ dataset: "diabetes", version: 1, rows: 442 });
    expect(await json<unknown[]>("datasets", "list")).toHaveLength(1);
    const target = readFileSync(diabetes, "utf8").split("\n")[0]?.trim().split(",").at(-1) ?? expect.fail();
    const job = await json("train", "--dataset", "diabetes", "--target", target, "--model", "sugar", "--min-r2", "0.3");
    expect(job).toMatchObject({ state: "SUCCEEDED", modelVersion: 1 });
    expect(await json<unknown[]>("jobs", "list")).toHaveLength(1);
    const id = (job as { id: string }).id;
    const planned = await json("jobs", "clone", id, "--param", "l2=3", "--min-r2", "0.1", "--dry-run");
    expect(planned).toMatchObject({ dataset: "diabetes", datasetVersion: "1", target, parameters: { l2: 3 } });
    expect(planned).not.toHaveProperty("features");
    const other = await json("jobs", "clone", id, "--recipe", "decision-tree", "--min-r2", "0.1", "--dry-run");
    expect(other).toMatchObject({ recipe: "decision-tree" });
    const again = await json<{ id: string }>("jobs", "clone", id, "--param", "l2=3", "--min-r2", "0.1");
    expect(await words("jobs", "compare", id, again.id)).toMatch(/^parameters\.l2 +\S+ +3$/m);
    expect(await words("jobs", "delete", again.id, "--dry-run")).toMatch(
      /Would delete the job .* of sugar, which is SUCC/,
    );
    expect(await words("jobs", "delete", again.id)).toMatch(/is gone/);
    expectFailure(await aimass.run("jobs", "show", again.id), 4, /no job/);
    expect(await json("models", "show", "sugar:1")).toMatchObject({ lineage: { dataset: "diabetes" } });
  });

  it("runs a file in one go and prints calls that work", async () => {
    const result = await json<{ model: string; seconds: number; calls: { curl: string } }>("run", file("words.onnx"));
    expect(result.model).toBe("words");
    expect(result.calls.curl).toContain(`${up.url}/v2/models/words/infer`);
    expect(await json("predict", "words", "--text", "four")).toMatchObject({ outputs: [{ data: [4] }] });
  });

  it("names the classes of a model whose version does, and gives numbers for others", async () => {
    const folder = join(temporary.path, "levels");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "model.onnx"), mlpModel({ layers: [4, 3], seed: 1 }));
    const scores = "outputs:\n  - name: y\n    labels: [low, middle, high]\n";
    writeFileSync(join(folder, "model.yaml"), scores);
    await json("run", folder);
    const { predictions } = await json<{ predictions: { label: string; scores: Record<string, number> }[] }>(
      "predict",
      "levels",
      "--input",
      "x=[[1,2,3,4],[4,3,2,1]]",
    );
    expect(predictions).toHaveLength(2);
    for (const { label, scores } of predictions) {
      expect(Object.keys(scores).toSorted()).toEqual(["high", "low", "middle"]);
      expect(scores[label]).toBe(Math.max(...Object.values(scores)));
    }
    expect(await json("predict", "words", "--text", "four")).not.toHaveProperty("predictions");
  });

  it("grants, makes keys and users, and takes them back", async () => {
    const { secret, key } = await json<{ secret: string; key: { id: string } }>(
      "keys",
      "create",
      "--service-account",
      "ci",
      "--description",
      "build",
    );
    const granted = await json<{ grant: { id: string } }>(
      "grants",
      "add",
      "service-account:ci",
      "default.tiny",
      "--level",
      "infer",
    );
    const program = new Command({ AIMASS_SERVER: up.url, AIMASS_API_KEY: secret });
    expect((await program.run("predict", "tiny")).status).toBe(0);
    expectFailure(await program.run("predict", "words"), 4, /words/);
    expect(await json("grants", "explain", "service-account:ci", "model.infer", "default.tiny")).toMatchObject({
      allowed: true,
    });
    expect(await json<unknown[]>("grants", "list", "--subject", "service-account:ci")).toHaveLength(1);
    expect(await json<unknown[]>("keys", "list", "--principal", "service-account:ci")).toMatchObject([{ id: key.id }]);
    await json("grants", "remove", granted.grant.id);
    expectFailure(await program.run("predict", "tiny"), 4, /tiny/);
    await json("keys", "revoke", key.id);
    expectFailure(await program.run("predict", "tiny"), 3, /key/i);
    await json("users", "create", "ada", "--password-file", file("password"));
    await json("groups", "add", "fraud", "user:ada");
    expect(await json<unknown[]>("users", "list")).toHaveLength(2);
    expect(await words("users", "disable", "ada")).toMatch(/is disabled/);
  });

  it("sets the roles of a user, and lets one in again", async () => {
    await json("users", "create", "rob", "--password-file", file("password"));
    expect(await words("users", "roles", "rob", "operator", "auditor")).toMatch(/auditor, operator/);
    expect(await json("users", "roles", "rob", "none")).toMatchObject({ user: { roles: [] } });
    expectFailure(await aimass.run("users", "roles", "rob"), 2, /No role was named/);
    expect(await words("users", "disable", "rob")).toMatch(/is disabled/);
    expect(await words("users", "enable", "rob")).toMatch(/is active/);
  });

  it("finds nothing wrong with a mesh that runs, and names the part that stopped", async () => {
    const { healthy, findings } = await json<{ healthy: boolean; findings: { check: string; state: string }[] }>(
      "doctor",
      "--data",
      data,
    );
    expect(findings.filter(({ state }) => state === "problem")).toEqual([]);
    expect(healthy).toBe(true);
    const parts = ["router", "auth", "registry", "trainer", "scheduler", "console", "replicas"];
    expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(parts));
    const [trainer] = childProcessesOf(up.supervisor).filter(({ command }) => command.includes("trainer/src/main.ts"));
    const { pid } = trainer ?? expect.fail();
    process.kill(pid, "SIGSTOP");
    try {
      const result = await aimass.run("doctor", "--data", data);
      expect(result.stdout).toMatch(/WRONG +trainer +It does not answer.*\n +→ Read .*logs\/trainer\.log/);
      expect(result.stdout).toMatch(/ok +registry/);
      expect(result.status).toBe(1);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const little = await aimass.run("doctor", "--data", data, "--least-disk", "1000TiB", "--json");
    expect(little.status).toBe(1);
    expect(JSON.parse(little.stdout)).toMatchObject({ healthy: false });
    expectFailure(await aimass.run("doctor", "--data", data, "--least-disk", "much"), 2, /--least-disk is "much"/);
  });

  it("makes, lists, changes and deletes groups, each change only of what is there", async () => {
    await json("users", "create", "gus", "--password-file", file("password"));
    expect(await words("groups", "add", "night", "user:gus", "user:admin")).toMatch(/has user:admin, user:gus/);
    expect(await words("groups", "remove", "night", "user:admin")).toMatch(/night has user:gus/);
    expectFailure(
      await aimass.run("groups", "remove", "night", "user:admin"),
      4,
      /user:admin is not in the group night/,
    );
    expect(await words("groups", "list")).toMatch(/night +user:gus/);
    await json("grants", "add", "group:night", "default.tiny", "--level", "view");
    expect(await words("groups", "delete", "night", "--dry-run")).toMatch(/group night with 1 members and 1 grants/);
    expect(await words("groups", "delete", "night")).toMatch(/The group night is gone/);
    expectFailure(await aimass.run("groups", "delete", "night"), 4, /no group "night"/);
    expect(await json("grants", "list", "--subject", "group:night")).toEqual([]);
    expectFailure(
      await aimass.run("grants", "add", "group:night", "default.tiny", "--level", "view"),
      4,
      /groups add night MEMBER/,
    );
  });

  it("makes, stops and deletes service accounts, with all their keys", async () => {
    expect(await words("service-accounts", "create", "robot", "-d", "at night")).toMatch(/robot is there/);
    const makeKey = () => json<{ secret: string }>("keys", "create", "--service-account", "robot");
    const [{ secret }] = [await makeKey(), await makeKey()];
    await json("grants", "add", "service-account:robot", "default.tiny", "--level", "infer");
    const robot = new Command({ AIMASS_SERVER: up.url, AIMASS_API_KEY: secret });
    expect(await words("service-accounts", "list")).toMatch(/robot +active .*at night/);
    expect(await words("service-accounts", "disable", "robot")).toMatch(/robot is disabled/);
    expect((await robot.run("whoami")).status).toBe(3);
    expect(await words("service-accounts", "enable", "robot")).toMatch(/robot is active/);
    expect((await robot.run("whoami")).status).toBe(0);
    const robots = ["--principal", "service-account:robot"];
    expect(await words("keys", "revoke-all", ...robots, "--dry-run")).toMatch(/Would revoke 2 keys of .*robot: /);
    expect((await robot.run("whoami")).status).toBe(0);
    expect(await words("keys", "revoke-all", ...robots)).toMatch(/2 keys of service-account:robot are revoked/);
    expect((await robot.run("whoami")).status).toBe(3);
    await makeKey();
    expect(await words("keys", "list", "--all")).toMatch(/service-account:robot +valid/);
    expect(await words("keys", "list", "--project", "default")).toMatch(/service-account:robot +revoked/);
    expectFailure(await aimass.run("keys", "list", "--all", ...robots), 2, /exclude each other/);
    expect(await words("service-accounts", "delete", "robot", "--dry-run")).toMatch(
      /Would delete service-account:robot with 1 grants, 1 API keys, 0 sessions, no groups/,
    );
    expect(await words("service-accounts", "delete", "robot")).toMatch(/service-account:robot is gone/);
    expectFailure(await aimass.run("service-accounts", "delete", "robot"), 4, /no service account "robot"/);
    expect(await words("audit", "list", "--action", "principal.deleted")).toMatch(/service-account:robot/);
  });

  it("ends sessions, and deletes a user with them", async () => {
    await json("users", "create", "eva", "--password-file", file("password"));
    const eva = new Command({ AIMASS_SERVER: up.url, XDG_CONFIG_HOME: join(temporary.path, "eva") });
    const signIn = ["login", "--username", "eva", "--password-file", file("password")];
    expect((await eva.run(...signIn)).status).toBe(0);
    const own = JSON.parse((await eva.run("sessions", "list", "--json")).stdout);
    expect(own).toMatchObject([{ principal: "user:eva", current: true }]);
    expectFailure(await eva.run("sessions", "list", "--user", "admin"), 3, /directory\.read/);
    expect(await words("sessions", "list", "--user", "eva")).toContain(own[0].id);
    expect(await words("sessions", "end", own[0].id, "--dry-run")).toMatch(/Would end the session .* of user:eva/);
    expect(await words("sessions", "end", own[0].id)).toMatch(/has ended/);
    expect((await eva.run("sessions", "list")).status).toBe(3);
    expect((await eva.run(...signIn)).status).toBe(0);
    expect(await words("sessions", "end-all", "--user", "eva")).toMatch(/1 sessions of user:eva have ended/);
    expect(await words("users", "delete", "eva", "--dry-run")).toMatch(/Would delete user:eva with 0 grants/);
    expect(await words("users", "delete", "eva")).toMatch(/user:eva is gone/);
    expect((await eva.run(...signIn)).status).toBe(3);
    expectFailure(await aimass.run("users", "delete", "admin"), 1, /user:admin is the last admin/);
  });

  it("retires a version and deletes a model, when no alias points there", async () => {
    await json("models", "push", "passing", file("tiny.onnx"), "--alias", "default");
    await json("models", "push", "passing", file("wider.onnx"));
    expectFailure(await aimass.run("models", "retire", "passing:1", "--dry-run"), 1, /alias|points/);
    expect(await words("models", "retire", "passing:2", "--dry-run")).toMatch(/Would retire passing:2/);
    expect(await json("models", "show", "passing:2")).toMatchObject({ state: "READY" });
    expect(await words("models", "retire", "passing:2")).toMatch(/passing:2 is retired/);
    expect(await json("models", "show", "passing:2")).toMatchObject({ state: "RETIRED" });
    expectFailure(await aimass.run("models", "retire", "passing"), 2, /No version was named/);
    expectFailure(await aimass.run("models", "delete", "passing", "--dry-run"), 1, /alias|points/);
    await json("models", "alias", "passing", "default", "--delete");
    expect(await words("models", "delete", "passing", "--dry-run")).toMatch(/the model passing with 2 versions/);
    expect(await words("models", "delete", "passing")).toMatch(/passing is gone/);
    expectFailure(await aimass.run("models", "delete", "passing"), 4, /passing/);
  });

  it("drains machines, and lists what is in quarantine", async () => {
    expect(await words("nodes", "list")).toMatch(/local .*local\/cpu-0 live/);
    expect(await json("nodes", "drain", "local")).toMatchObject([{ id: "local/cpu-0", draining: true }]);
    expect(await words("nodes", "list")).toMatch(/local\/cpu-0 draining/);
    expect(await json("nodes", "drain", "local/cpu-0", "--undo")).toMatchObject([{ draining: false }]);
    expectFailure(await aimass.run("nodes", "drain", "lokal"), 4, /"lokal".*Did you mean local/);
    expect(await words("quarantine", "list")).toMatch(/Nothing is in quarantine/);
    expectFailure(await aimass.run("quarantine", "release", "tiny:1"), 4, /tiny:1 is not in quarantine/);
  });

  it("lists, compares, pulls and deletes versions of a dataset", { timeout: 180_000 }, async () => {
    writeFileSync(file("rents.csv"), "rooms,rent\n3,100\n4,200\n");
    await json("datasets", "push", file("rents.csv"), "rents");
    writeFileSync(file("rents.csv"), "rooms,rent\n3,100\n4,200\n5,300\n");
    await json("datasets", "push", file("rents.csv"), "rents");
    expect(await json("datasets", "versions", "rents")).toMatchObject([
      { version: 2, createdAt: expect.stringMatching(/^20.*Z$/) },
      { version: 1 },
    ]);
    expect(await words("datasets", "diff", "rents", "1")).toMatch(/rows: 2 → 3.*v2 has every column of v1/s);
    await words("datasets", "pull", "rents:2", file("pulled-rows"));
    expect(readFileSync(join(file("pulled-rows"), "rents-2.csv"))).toEqual(readFileSync(file("rents.csv")));
    expect(await words("datasets", "delete", "rents", "--dry-run")).toMatch(
      /Would delete the dataset rents with v1, v2/,
    );
    expect(await words("datasets", "delete", "rents:1")).toMatch(/rents v1 is gone/);
    expect(await json<unknown[]>("datasets", "versions", "rents")).toHaveLength(1);
    const exported = await words("audit", "export", "--action", "dataset", "--from", "2020-01-01");
    const lines = exported
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({
      action: "dataset.deleted",
      resource: "default.rents",
      event: { datasetDeleted: { dataset: "rents", version: "1" } },
    });
    expect(await words("audit", "list", "--until", "2020-01-01")).not.toMatch(/dataset/);
  });

  it("replaces nothing that was pulled over, unless told to, and pulls the same again", async () => {
    const folder = file("pulled");
    await json("models", "pull", "tiny:2", folder);
    const graph = join(folder, "model.onnx");
    const pulled = readFileSync(graph);
    await json("models", "pull", "tiny:2", folder);
    writeFileSync(graph, "mine");
    expectFailure(await aimass.run("models", "pull", "tiny:2", folder), 1, /there with other content.*--force/s);
    expect(readFileSync(graph, "utf8")).toBe("mine");
    await json("models", "pull", "tiny:2", folder, "--force");
    expect(readFileSync(graph)).toEqual(pulled);
  });

  it("moves and removes an alias only from where it is expected to be", async () => {
    await json("models", "push", "pinned", file("tiny.onnx"));
    await json("models", "alias", "pinned", "live", "1");
    const alias = (...more: string[]) => aimass.run("models", "alias", "pinned", "live", ...more);
    expectFailure(await alias("--delete", "--expect", "7"), 1, /points at version 1/);
    expectFailure(await alias("1", "--expect", "7"), 1, /version 1; it was expected to point at version 7/);
    expectFailure(await alias("--delete", "--expect", "abc"), 2, /--expect is "abc"/);
    expectFailure(await alias("1", "--expect", "abc"), 2, /--expect is "abc"/);
    expectFailure(await alias("1", "--delete"), 2, /v1 was named too/);
    expectFailure(await aimass.run("models", "rollback", "pinned", "live", "--expect", "7"), 1, /points at version 1/);
    expect(await words("models", "show", "pinned")).toMatch(/live/);
    expect((await alias("--delete", "--expect", "1")).status).toBe(0);
  });

  it("pauses a deployment, whose alias then moves without its traffic, and tells its history", async () => {
    await json("models", "push", "held", file("tiny.onnx"), "--alias", "default");
    await json("models", "push", "held", file("wider.onnx"));
    await json("deploy", "held");
    expect(await words("deployments", "pause", "held")).toMatch(/held is paused/);
    expect(await words("models", "alias", "held", "default", "2")).toMatch(/v1 → v2\. held is paused/);
    expect(await json("predict", "held")).toMatchObject({ model_version: "1" });
    expect(await words("deployments", "list")).toMatch(/held .*default→1 \(wants 2\)/);
    expect(await words("deployments", "resume", "held")).toMatch(/held goes on/);
    await json("deploy", "held");
    expect(await json("predict", "held")).toMatchObject({ model_version: "2" });
    expect(await words("deploy", "held", "--delete", "--dry-run")).toMatch(
      /Would end the deployment of held \(held v2/,
    );
    await words("deploy", "held", "--delete");
    expect(await words("deployments", "history", "held")).toMatch(
      /user:admin +ended\n.*service:scheduler +default is served by v2: it served version 1.*paused true → false.*paused false → true.*served by v1.*user:admin +deployed: /s,
    );
    expectFailure(await aimass.run("deployments", "pause", "held"), 4, /held is not deployed/);
    expectFailure(await aimass.run("deployments", "history", "nothing"), 4, /nothing is not deployed/);
  });

  it("ends no deployment that it was only asked about, and saves none that names what is not there", async () => {
    expect(await json("deploy", "tiny", "--delete", "--dry-run")).toMatchObject({ wouldDelete: true });
    expectFailure(await aimass.run("deploy", "tiny", "--delete", "--replicas", "2"), 2, /--replicas/);
    expectFailure(await aimass.run("deploy", "tiny", "--version", "99"), 1, /no version 99 that is READY/);
    expectFailure(await aimass.run("deploy", "tiny", "--alias", "nope", "--no-wait"), 1, /no alias "nope"/);
    expect(await json("deploy", "tiny")).toMatchObject({
      deployment: { spec: { versions: [], aliases: ["default"] } },
    });
    expect(await json("predict", "tiny")).toMatchObject({ model_name: expect.stringContaining("tiny") });
  });

  it("runs a file under no name that others use, and leaves no model behind what is refused", async () => {
    expectFailure(await aimass.run("run", file("tiny.onnx")), 1, /tiny already, which is not from a run.*--name/s);
    expectFailure(await aimass.run("run", file("words.onnx"), "--name", "tiny"), 1, /pushed and does not serve/);
    expectFailure(await aimass.run("run", file("words.onnx"), "--replicas", "0"), 2, /--replicas is "0"/);
    writeFileSync(file("broken.onnx"), "no model");
    expectFailure(await aimass.run("models", "push", "empty", file("broken.onnx")), 2, /./);
    expectFailure(await aimass.run("models", "show", "empty"), 4, /no model "default\.empty"/);
  });

  it("grants nothing on a name that nothing has, unless told that it is still to come", async () => {
    const add = (resource: string, ...more: string[]) =>
      aimass.run("grants", "add", "anonymous", resource, "--level", "infer", ...more);
    expectFailure(
      await add("default.tinny"),
      1,
      /There is no model or dataset default\.tinny.*default\.tiny\?.*--force/s,
    );
    expectFailure(await add("defualt"), 1, /There is no project defualt.*default\?/s);
    expectFailure(await add("default.tiny@lvie"), 1, /There is no alias/);
    const { grant } = JSON.parse((await add("default.later", "--force", "--json")).stdout);
    await json("grants", "remove", grant.id);
    expectFailure(await aimass.run("grants", "remove", grant.id), 4, /no grant "[0-9a-f]+".*aimass grants list/s);
    const grantTo = (...more: string[]) => aimass.run("grants", "add", ...more);
    expectFailure(
      await grantTo("service-account:nobody", "default.tiny", "--level", "infer"),
      4,
      /no service-account:nobody.*aimass keys create --service-account nobody/s,
    );
    expectFailure(await grantTo("anonymous", "default.tiny", "--verb", "model.infr"), 2, /not a verb.*model\.infer/s);
    expectFailure(await grantTo("anonymous", "default.tiny"), 2, /neither a level nor verbs.*such as infer/s);
  });

  it("says which right a push lacks, makes keys with an end, and lets none of them make keys", async () => {
    const { secret, key } = await json<{ secret: string; key: { expiresAt: string } }>(
      "keys",
      "create",
      "-s",
      "looker",
    );
    const days = (Date.parse(key.expiresAt) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    await json("grants", "add", "service-account:looker", "default", "--level", "view");
    const looker = new Command({ AIMASS_SERVER: up.url, AIMASS_API_KEY: secret });
    expectFailure(await looker.run("models", "push", "tiny", file("tiny.onnx")), 3, /version\.create on default\.tiny/);
    expectFailure(await looker.run("datasets", "push", diabetes), 3, /dataset\.write on default\.diabetes/);
    expectFailure(await looker.run("keys", "create"), 3, /An API key cannot make keys/);
    expect(await json<{ key: object }>("keys", "create", "--for", "never")).not.toHaveProperty("key.expiresAt");
    expectFailure(await aimass.run("keys", "create", "--for", "soon"), 2, /--for is "soon".*24h or 90d/);
    expect(await words("keys", "list", "--principal", "service-account:none")).toMatch(/No keys of service-acc/);
    expectFailure(await aimass.run("--api-key", "nonsense", "whoami"), 3, /none that was made here.*Copy it whole/);
  });

  it("shows how the mesh is and that its ledger is whole", async () => {
    expect(await json("status")).toMatchObject({ ready: true, nodes: [{ name: "local" }] });
    expect(await words("status")).toMatch(/local\/cpu-0 .* live .*tiny/);
    expect(await json<unknown[]>("audit", "list", "--action", "alias")).not.toHaveLength(0);
    expect(await json("audit", "verify", "--head", file("head.json"))).toMatchObject({ intact: true });
    expect(await words("audit", "verify", "--head", file("head.json"))).toMatch(/The ledger is intact/);
    expect(await words("models", "list")).toMatch(/tiny/);
    expect(await words("models", "show", "tiny")).toMatch(/wider is better/);
  });
});

describe.concurrent("a wrong command", { timeout: 180_000 }, () => {
  it.each<[string, string[], number, RegExp]>([
    ["an unknown command", ["modles", "list"], 2, /unknown command 'modles'.*models/s],
    ["an unknown option", ["models", "list", "--colour"], 2, /unknown option '--colour'/],
    ["a missing argument", ["models", "push", "tiny"], 2, /missing required argument 'path'/],
    ["a name that is none", ["models", "show", "no such/model"], 2, /"no such\/model" is not a model name.*letters/s],
    ["a version that is none", ["models", "alias", "tiny", "default", "two"], 2, /"two" is not a version number/],
    ["a level that is none", ["grants", "add", "user:ada", "default", "--level", "all"], 2, /view, infer, edit/],
    ["an input that is no JSON", ["predict", "tiny", "--input", "{x"], 2, /not JSON.*Write it like/s],
    ["an input of another shape", ["predict", "tiny", "--input", '{"x": [[1]]}'], 2, /\[1,1\].*\[-1,4\]/s],
    ["a file that is not there", ["models", "push", "tiny", "nowhere.onnx"], 4, /nowhere\.onnx cannot be read/],
    ["a password file that is not there", ["login", "--password-file", "nowhere"], 4, /nowhere/],
    ["an unknown model", ["models", "show", "nothing"], 4, /no model "default\.nothing"/],
    ["an unknown version", ["models", "show", "tiny:99"], 4, /tiny.*99/],
    ["an unknown model to predict", ["predict", "nothing"], 4, /"nothing"/],
    ["a count that is none", ["audit", "list", "--count", "few"], 2, /--count is "few"/],
    ["an owner that is none", ["admin", "container-secrets", "nowhere", "--owner", "me"], 2, /--owner is "me"/],
    ["a port that is none", ["up", "--port", "high"], 2, /--port is "high".*0 to 65535/s],
    ["too many replicas", ["up", "--replicas", "5000"], 2, /--replicas is "5000"/],
    ["no replicas", ["deploy", "tiny", "--replicas", "0"], 2, /--replicas is "0".*from 1/s],
    ["a review of no version", ["models", "review", "tiny", "--request"], 2, /No version was named.*tiny:1/s],
    ["a server that is no URL", ["--server", "not a url", "models", "list"], 2, /not a url.*http/s],
  ])("(%s) exits with the right status and a sentence that helps", async (_what, args, status, sentence) => {
    expectFailure(await aimass.run(...args), status, sentence);
  });

  it("shows no empty default in its help", async () => {
    for (const command of [
      ["models", "list"],
      ["keys", "list"],
      ["datasets", "show"],
    ])
      expect(await words(...command, "--help")).not.toMatch(/default: +"0?"/);
    expect(await words("keys", "create", "--help")).toMatch(/default: "90d"/);
  });

  it("says it in JSON, too", async () => {
    const { status, stdout } = await aimass.run("models", "show", "nothing", "--json");
    expect(status).toBe(4);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe("NOT_FOUND");
    expectHelpful(error.message);
  });

  it("exits 5 where nothing answers, and says what to start", async () => {
    const lost = new Command({ AIMASS_SERVER: "http://127.0.0.1:9", AIMASS_API_KEY: "aim_x" });
    for (const args of [["models", "list"], ["predict", "tiny"], ["status"]])
      expectFailure(await lost.run(...args), 5, /Nothing answers at http:\/\/127\.0\.0\.1:9.*npm start/s);
  });
});

describe("aimass login", { timeout: 180_000 }, () => {
  const signIn = async (input: string): Promise<CommandResult> => {
    const child = aimass.start(["login"], "pipe");
    child.stdin?.end(input);
    return aimass.result(child);
  };

  it("takes a password from a pipe, with or without a final newline", async () => {
    const password = readFileSync(adminPassword(), "utf8").trim();
    for (const input of [password, `${password}\n`, `${password}\r\nmore\n`])
      expect(await signIn(input)).toMatchObject({ status: 0, stdout: expect.stringContaining("Signed in") });
  });

  it("says that none was given when the input is empty", async () => {
    expectFailure(await signIn(""), 2, /No password was given/);
    expectFailure(await aimass.run("login"), 2, /No password was given/);
  });
});

describe("aimass up", { timeout: 180_000 }, () => {
  it("listens where it says and nowhere else, and with --no-triton-ports not on 8000 and 8001", async () => {
    expect(up.listeners).toEqual([new URL(up.url).host]);
  });

  it("refuses a data directory that a mesh is using, and leaves that mesh alone", async () => {
    const before = childProcessesOf(up.supervisor);
    expectFailure(await aimass.run("up", "--data", data, "--port", "0"), 1, /already runs on .*--data/s);
    expect(before.filter(({ pid }) => !isAlive(pid))).toEqual([]);
    expect(await json("status")).toMatchObject({ ready: true });
  });

  it("names the port that is taken and another one, and leaves nothing behind", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    try {
      const result = await aimass.run("up", "--data", file("other-data"), "--port", String(port));
      expect(result.stderr).toMatch(new RegExp(`Port ${port} is taken.*--port`, "s"));
      expect(result.status).toBe(1);
    } finally {
      server.close();
    }
  });

  it("ends everything at Ctrl-C, and comes back with all it had", async () => {
    const pids = processesOf(up);
    expect(pids.length).toBeGreaterThan(8);
    process.kill(-(up.launcher.pid as number), "SIGINT");
    expect(await up.ended).toBe(0);
    await expectAllGone(pids, 2000);
    up = await startMesh();
    aimass = new Command({ AIMASS_SERVER: up.url, XDG_CONFIG_HOME: join(temporary.path, "config") });
    await words("login", "--password-file", adminPassword());
    expect((await json<{ name: string }[]>("models", "list")).map((m) => m.name)).toContain("tiny");
    expect(await json("predict", "tiny")).toMatchObject({ model_version: "1" });
  });

  it("leaves no process behind when its supervisor is killed, and starts again after", async () => {
    const pids = processesOf(up);
    process.kill(up.supervisor, "SIGKILL");
    await up.ended;
    await expectAllGone(pids, 20_000);
    up = await startMesh();
  });

  it("leaves no process behind when the process that launched it is killed", async () => {
    const pids = processesOf(up);
    up.launcher.kill("SIGKILL");
    await expectAllGone(pids, 20_000);
  });
});

describe("aimass up from npm", { timeout: 180_000 }, () => {
  it("ends when npm's shell is told to end, which passes no signal on", async () => {
    const own = join(temporary.path, "from-npm");
    const program = fileURLToPath(new URL("../../services/cli/bin/aimass.js", import.meta.url));
    const shell = spawn(
      "sh",
      ["-c", '"$0" "$@"; true', process.execPath, program, "up", "--data", own, "--port", "0"],
      {
        env: { ...process.env, npm_command: "exec" },
        stdio: "ignore",
      },
    );
    const file = join(own, "supervisor.pid");
    await waitFor(() => existsSync(file) && readFileSync(file, "utf8") !== "", { timeoutMs: 60_000 });
    const supervisor = Number(readFileSync(file, "utf8").split(" ")[0]);
    const launchers = childProcessesOf(shell.pid as number).map(({ pid }) => pid);
    shell.kill("SIGTERM");
    await expectAllGone([supervisor, ...launchers], 40_000);
  });
});

describe("aimass admin reset", { timeout: 180_000 }, () => {
  it("makes nothing where there is no mesh", async () => {
    const result = await aimass.run("admin", "reset", "--data", file("mistyped"));
    expectFailure(result, 1, /There is no mesh in .*mistyped.*--data/s);
    expect(existsSync(file("mistyped"))).toBe(false);
  });

  it("gives a new password in a file of its own, which the next start names, and overwrites none", async () => {
    await waitFor(async () => namingProcesses().length === 0, {
      timeoutMs: 20_000,
      intervalMs: 50,
      what: "the mesh to end",
    });
    const before = readFileSync(adminPassword(), "utf8");
    const { password, file: newFile } = await json<{ password: string; file: string }>(
      "admin",
      "reset",
      "--data",
      data,
    );
    expect(newFile).toBe(`${adminPassword()}-2`);
    expect([readFileSync(adminPassword(), "utf8"), readFileSync(newFile, "utf8")]).toEqual([before, `${password}\n`]);
    // A pid file of a mesh that died, with a number that is a stranger's by now.
    writeFileSync(join(data, "supervisor.pid"), String(process.pid));
    up = await startMesh();
    expect(readFileSync(join(data, "supervisor.pid"), "utf8")).toMatch(new RegExp(`^${up.supervisor} `));
    aimass = new Command({ AIMASS_SERVER: up.url, XDG_CONFIG_HOME: join(temporary.path, "config") });
    expect(up.passwordFile).toBe(newFile);
    await words("login", "--password-file", up.passwordFile);
    expectFailure(await aimass.run("login", "--password-file", adminPassword()), 3, /wrong/);
  });
});
