import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consumersOf } from "../../libs/events/src/consumers.ts";
import { boundaryViolations } from "./rules/boundaries.ts";
import { importCircles } from "./rules/circles.ts";
import { unlistedConsumers } from "./rules/consumers.ts";
import { longLines } from "./rules/docs.ts";
import { longFunctions } from "./rules/functions.ts";
import { type Lockfile, missingPlatforms } from "./rules/lockfile.ts";
import { type PackageManifest, skeletonViolations, unpinnedDependencies } from "./rules/packages.ts";
import { unshownPromises } from "./rules/promises.ts";
import { reasonsOf, staleReasons } from "./rules/reasons.ts";
import { packageOf, repositoryFiles, repositoryPaths, root } from "./rules/source-files.ts";
import { undocumentedVariables } from "./rules/variables.ts";

/** A check: what is wrong, one line each; nothing when all is well. */
interface Check {
  readonly name: string;
  readonly run: () => readonly string[];
}

const bin = (name: string) => join(root, "node_modules", ".bin", name);

/** Runs a tool; its output is what is wrong when it fails. */
function tool(command: string, args: readonly string[], cwd = root): string[] {
  const env = { ...process.env, NO_COLOR: "1", PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}` };
  const result = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  if (result.status === 0) return [];
  return [`${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`.trim()];
}

const sources = repositoryFiles(".ts").filter((file) => !file.path.includes("/gen/"));
const packages = [...new Set(repositoryFiles("package.json").map((file) => packageOf(file.path)))].filter(
  (p): p is string => p !== undefined,
);
const manifest = (folder: string) =>
  JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as PackageManifest;
const readme = (folder: string) =>
  existsSync(join(root, folder, "README.md")) ? readFileSync(join(root, folder, "README.md"), "utf8") : undefined;
const readText = (path: string) => (existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined);
const dependencies = (folder: string) => {
  const { dependencies = {}, optionalDependencies = {} } = manifest(folder);
  return [...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
};

/** Generates into a copy and compares with what is committed. */
function staleCode(): string[] {
  const folder = mkdtempSync(join(tmpdir(), "aimass-generate-"));
  try {
    for (const part of ["proto", "buf.yaml", "buf.gen.yaml"])
      cpSync(join(root, part), join(folder, part), { recursive: true });
    const failed = tool(bin("buf"), ["generate"], folder);
    if (failed.length > 0) return failed;
    return tool("diff", ["-r", "-q", join(folder, "libs/api/src/gen"), join(root, "libs/api/src/gen")]).map(
      (text) => `Generated code is stale; run \`npm run generate\`.\n${text}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Changes of the contracts to look back over: a break is found however many commits it took. */
const contractChanges = 20;

/** Compares the contracts with those before their last changes; skipped where there is no history. */
function breakingChanges(): string[] {
  const git = (...args: string[]) => spawnSync("git", args, { cwd: root, encoding: "utf8" }).stdout.trim();
  const base = git("log", `--max-count=${contractChanges}`, "--format=%H", "--", "proto").split("\n").at(-1);
  return !base ? [] : tool(bin("buf"), ["breaking", "--against", `.git#ref=${base}`]);
}

const checks: readonly Check[] = [
  {
    name: "format and lint",
    run: () => tool(bin("biome"), ["ci", "--colors=off", "--error-on-warnings", "--diagnostic-level=warn", "."]),
  },
  { name: "types", run: () => tool(bin("tsc"), ["--noEmit", "-p", "."]) },
  { name: "contracts: lint", run: () => tool(bin("buf"), ["lint"]) },
  { name: "contracts: breaking changes", run: breakingChanges },
  { name: "contracts: generated code", run: staleCode },
  { name: "boundaries", run: () => boundaryViolations(sources, dependencies) },
  { name: "consumers of events", run: () => unlistedConsumers(sources, consumersOf) },
  { name: "long functions", run: () => longFunctions(sources) },
  { name: "lines of documents", run: () => longLines(repositoryFiles(".md")) },
  { name: "circles of imports", run: () => importCircles(sources) },
  {
    name: "packages",
    run: () => [
      ...[".", ...packages].flatMap((folder) => unpinnedDependencies(manifest(folder))),
      ...skeletonViolations(packages, new Set(repositoryPaths())),
    ],
  },
  {
    name: "lockfile",
    run: () =>
      missingPlatforms(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lockfile).map(
        (p) =>
          `${p.wantedBy} wants ${p.name}, which package-lock.json lacks: run \`node test/repo/complete-lockfile.ts\`.`,
      ),
  },
  {
    name: "promises of SECURITY.md",
    run: () => unshownPromises(readText("SECURITY.md") ?? "| SECURITY.md | is missing |", readText),
  },
  {
    name: "catalogue of error reasons",
    run: () =>
      staleReasons(reasonsOf(sources.filter((file) => file.path.includes("/src/"))), readText("ERRORS.md") ?? ""),
  },
  {
    name: "documented variables",
    run: () =>
      undocumentedVariables(
        sources.filter((file) => file.path.includes("/src/")),
        readme,
      ),
  },
];

let failed = 0;
for (const { name, run } of checks) {
  const startedAt = performance.now();
  const problems = run();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)\n`);
  for (const problem of problems) process.stdout.write(`     ${problem.replaceAll("\n", "\n     ")}\n`);
  if (problems.length > 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
