import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@aimass/core";
import { debianMirror } from "../support/debian-mirror.ts";
import { ScriptJob } from "./script-job.ts";

/**
 * Builds the image and runs the demo and a script on the compose files, with Debian's container engine on a data directory of its own. No image registry is
 * needed: the base images are made here from Debian packages. Needs root and apt; elsewhere it is skipped by name, and with CI=true that is a failure.
 */
const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const folder = mkdtempSync(join(tmpdir(), "aimass-compose-"));
// dockerd, debootstrap and iptables are not on everybody's path.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const ports = [String(await freePort()), String(await freePort())] as const;
const routers = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
const env = {
  ...process.env,
  DOCKER_HOST: `unix://${folder}/docker.sock`,
  PWD: root,
  XDG_CONFIG_HOME: folder,
  AIMASS_IMAGE: "aimass:test",
  AIMASS_SCRIPTS_IMAGE: "aimass:test",
  POSTGRES_IMAGE: "aimass-postgres:test",
  NATS_IMAGE: "aimass-nats:test",
  AIMASS_PORT_1: ports[0],
  AIMASS_PORT_2: ports[1],
  COMPOSE_PROJECT_NAME: "aimass",
};
const compose = (...args: string[]) => run("docker-compose", ["-f", "deploy/compose/compose.yaml", ...args]);
const password = join(folder, "password");

const missing = await prepareTools();
if (missing !== undefined) {
  process.stdout.write(`skipped: containers (need: ci): ${missing}\n`);
  process.exit(process.env.CI === "true" ? 1 : 0);
}
let engine: ChildProcess | undefined;
try {
  engine = await step("engine", startEngine);
  await step("base images", buildBaseImages);
  await step("image", () =>
    run("node", ["deploy/image/build.ts", "--tag", "aimass:test", "--base", "aimass-base:test"]),
  );
  await step("up", () => compose("up", "-d"));
  await step("ready", ready);
  await step("demo", demo);
  await step("second router", secondRouter);
  await step("containers cannot be called around the router", directCall);
  const script = new ScriptJob({ run, url: routers[0], folder });
  await step("scripts are refused", () => script.refused(password));
  await step("scripts are switched on", () => script.switchOn());
  await step("a script trains in its sandbox", () => script.trains());
  process.stdout.write("containers: all well\n");
} catch (error) {
  process.exitCode = 1;
  process.stdout.write(`${(error as Error).message}\n`);
  spawnSync("docker-compose", ["-f", "deploy/compose/compose.yaml", "ps"], { cwd: root, env, stdio: "inherit" });
  spawnSync("docker-compose", ["-f", "deploy/compose/compose.yaml", "logs", "--tail", "15", "--no-color"], {
    cwd: root,
    env,
    stdio: "inherit",
  });
} finally {
  if (engine !== undefined) {
    spawnSync("docker-compose", ["-f", "deploy/compose/compose.yaml", "down", "-v", "-t", "5"], {
      cwd: root,
      env,
      stdio: "ignore",
    });
    engine.kill("SIGTERM");
    await new Promise((resolve) => engine?.once("exit", resolve));
  }
  rmSync(folder, { recursive: true, force: true });
}

async function step<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  process.stdout.write(`ok   ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)\n`);
  return result;
}

function run(command: string, args: readonly string[], options: { input?: string } = {}): string {
  const result = spawnSync(command, args, { cwd: root, env, encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (result.status !== 0)
    throw new Error(
      `${command} ${args.join(" ")} failed:\n${`${result.stdout ?? ""}${result.stderr ?? ""}`.slice(-4000)}`,
    );
  return result.stdout;
}

/** Installs the engine where that is possible. Returns what is missing. */
async function prepareTools(): Promise<string | undefined> {
  if (process.platform !== "linux") return "this is not Linux";
  if (process.getuid?.() !== 0) return "starting a container engine needs root";
  const tools = ["dockerd", "docker-compose", "debootstrap", "iptables"];
  if (tools.some((tool) => spawnSync("which", [tool]).status !== 0)) {
    if (process.env.CI !== "true") return `${tools.join(", ")} are not all installed`;
    const packages = ["docker.io", "docker-compose", "debootstrap", "iptables"];
    const aptEnv = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    execFileSync("apt-get", ["update", "-qq"], { stdio: "inherit", env: aptEnv });
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
      stdio: ["ignore", "ignore", "inherit"],
      env: aptEnv,
    });
  }
  return undefined;
}

async function startEngine(): Promise<ChildProcess> {
  const log = openSync(join(folder, "dockerd.log"), "w");
  const child = spawn(
    "dockerd",
    [
      "--data-root",
      join(folder, "data"),
      "--exec-root",
      join(folder, "exec"),
      "-H",
      env.DOCKER_HOST,
      "-p",
      join(folder, "pid"),
    ],
    { stdio: ["ignore", log, log] },
  );
  closeSync(log);
  for (let i = 0; i < 120; i += 1) {
    if (spawnSync("docker", ["info"], { env, stdio: "ignore" }).status === 0) return child;
    if (child.exitCode !== null) break;
    await sleep(500);
  }
  child.kill("SIGKILL");
  throw new Error(
    `The container engine did not start:\n${readFileSync(join(folder, "dockerd.log"), "utf8").slice(-3000)}`,
  );
}

/**
 * A Debian base with what scripts need, PostgreSQL and nats-server from the packages this machine reaches; stand-ins for the public images, which compose uses
 * elsewhere.
 */
function buildBaseImages(): void {
  const base = join(folder, "base");
  run("debootstrap", [
    "--variant=minbase",
    "--include=ca-certificates,libstdc++6,bubblewrap,python3,postgresql,nats-server",
    "bookworm",
    base,
    debianMirror(),
  ]);
  run("sh", ["-c", `tar -C ${base} -c . | docker import - aimass-base:test`]);
  const context = join(folder, "context");
  mkdirSync(context);
  copyFileSync(join(root, "test/compose/postgres-entrypoint"), join(context, "postgres-entrypoint"));
  chmodSync(join(context, "postgres-entrypoint"), 0o755);
  writeFileSync(
    join(context, "Dockerfile.postgres"),
    'FROM aimass-base:test\nENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin\nCOPY postgres-entrypoint /postgres-entrypoint\nENTRYPOINT ["/postgres-entrypoint"]\n',
  );
  writeFileSync(join(context, "Dockerfile.nats"), 'FROM aimass-base:test\nENTRYPOINT ["/usr/sbin/nats-server"]\n');
  run("docker", ["build", "-f", join(context, "Dockerfile.postgres"), "-t", env.POSTGRES_IMAGE, context]);
  run("docker", ["build", "-f", join(context, "Dockerfile.nats"), "-t", env.NATS_IMAGE, context]);
}

async function ready(): Promise<void> {
  for (let i = 0; i < 120; i += 1) {
    const answers = await Promise.all(
      routers.map((url) =>
        fetch(`${url}/v2/health/ready`).then(
          (r) => r.ok,
          () => false,
        ),
      ),
    );
    if (answers.every(Boolean)) return;
    await sleep(1000);
  }
  throw new Error("The routers were not ready within two minutes.");
}

async function demo(): Promise<void> {
  writeFileSync(
    password,
    compose("exec", "-T", "auth", "node", "-p", 'fs.readFileSync("/var/lib/aimass/admin-password", "utf8")'),
    { mode: 0o600 },
  );
  const pid = run("docker", ["inspect", "-f", "{{.State.Pid}}", "aimass_inference-1_1"]).trim();
  const output = run("node", [
    "services/cli/src/main.ts",
    "--json",
    "demo",
    "--against",
    routers[0],
    "--password-file",
    password,
    "--kill-command",
    `kill -9 ${pid}`,
  ]);
  const result = JSON.parse(output) as { failed: number; sent: number };
  if (result.failed !== 0 || result.sent < 100)
    throw new Error(`The demo ended with ${result.failed} of ${result.sent} requests failed.`);
  process.stdout.write(`     ${result.sent} requests, ${result.failed} failed\n`);
}

async function secondRouter(): Promise<void> {
  const refused = await fetch(`${routers[1]}/v2/models/diabetes`);
  if (refused.ok) throw new Error("The second router let a stranger see a model.");
  const live = await fetch(`${routers[1]}/v2/health/live`);
  if (!live.ok) throw new Error("The second router does not answer.");
}

/** From inside the network, a replica refuses whoever is not a router. */
function directCall(): void {
  const script =
    'fetch("http://inference-1:7000/v2/models/diabetes").then((r) => console.log(r.status), (e) => console.log(e.message))';
  const answer = compose("exec", "-T", "console", "node", "-e", script).trim();
  if (answer !== "401") throw new Error(`A direct call to a replica was answered with ${answer} and not with 401.`);
}
