import { existsSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AccessService, DirectoryService, Effect, Level } from "@aimass/api/auth";
import { findProgram } from "@aimass/testkit";
import type { TestMesh } from "../../support/test-mesh.ts";
import { type Check, type Finding, finding } from "../check.ts";
import { mustRun, runProgram, tail } from "../program.ts";

const source = fileURLToPath(new URL("../../../libs/python", import.meta.url));
const scripts = fileURLToPath(new URL("../python", import.meta.url));
const home = fileURLToPath(new URL("../../.venv-package", import.meta.url));
const versions = ["3.10", "3.11", "3.12", "3.13"];
const installTimeoutMs = 600_000;
const testTimeoutMs = 300_000;

/** `import aimass` under every Python that is here, and the notebook of its README under the machine's own. */
export function pythonPackage(mesh: TestMesh): Check {
  return {
    name: "the Python package",
    level: "ci",
    needs: ["python3"],
    run: async () => {
      const env = { AIMASS_SERVER: mesh.mesh.url(), AIMASS_API_KEY: await scientistKey(mesh) };
      const pythons = installedPythons();
      const package_ = await builtPackage();
      const requirements = ["-r", join(scripts, "notebook-requirements.txt")];
      const [forNotebook, ...environments] = await Promise.all([
        environment("notebook", "python3", package_, requirements),
        ...Array.from(pythons, ([version, python]) => environment(version, python, package_)),
      ]);
      const findings: Finding[] = [await finding("the Python package: its notebook", () => notebook(forNotebook, env))];
      for (const [at, version] of [...pythons.keys()].entries())
        findings.push(await tests(version, environments[at] as string, env));
      const missing = versions.filter((version) => !pythons.has(version));
      const note = "not on this machine";
      return [
        ...findings,
        ...missing.map((version): Finding => ({ name: titleOf(version), outcome: "skipped", note })),
      ];
    },
  };
}

/** A key of somebody who may make, train and deploy models. */
async function scientistKey({ admin, mesh }: TestMesh): Promise<string> {
  const principal = "service-account:scientist";
  // Keys are made shortly after signing in alone.
  await admin.signIn("admin", mesh.adminPassword() as string);
  await admin.client(DirectoryService).createServiceAccount({ name: "scientist" });
  const grant = { subject: principal, resource: "default", level: Level.DEPLOY, effect: Effect.ALLOW };
  await admin.client(AccessService).putGrant({ grant });
  return (await admin.client(DirectoryService).createApiKey({ principal })).secret;
}

function tests(version: string, python: string, env: Record<string, string>): Promise<Finding> {
  return finding(titleOf(version), async () => {
    const args = ["-m", "unittest", "discover", "-s", join(source, "tests")];
    const { status, stderr } = await runProgram(python, args, { timeoutMs: testTimeoutMs, env });
    if (status !== 0) throw new Error(tail(stderr, 2000));
    return stderr.match(/Ran \d+ tests/)?.[0] ?? tail(stderr);
  });
}

async function notebook(python: string, env: Record<string, string>): Promise<string> {
  const args = [join(scripts, "run_notebook.py"), join(source, "examples/from-a-dataframe.ipynb")];
  return (await mustRun(python, args, { timeoutMs: testTimeoutMs, env })).trim();
}

/** The package as pip makes it of the checkout; the path of its wheel. */
async function builtPackage(): Promise<string> {
  const folder = join(home, "wheel");
  rmSync(folder, { recursive: true, force: true });
  const pip = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source];
  await mustRun("python3", pip, { timeoutMs: installTimeoutMs });
  return join(folder, readdirSync(folder)[0] as string);
}

/** A virtual environment with the package, and what requirements say; the path of its interpreter. */
async function environment(
  name: string,
  python: string,
  wheel: string,
  requirements: readonly string[] = [],
): Promise<string> {
  const folder = join(home, name);
  const own = join(folder, "bin", "python");
  if (!existsSync(own)) await mustRun(python, ["-m", "venv", folder], { timeoutMs: installTimeoutMs });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await mustRun(own, [...pip, ...requirements, wheel], { timeoutMs: installTimeoutMs });
  // An earlier run may have left the same version with other code.
  await mustRun(own, [...pip, "--force-reinstall", "--no-deps", wheel], { timeoutMs: installTimeoutMs });
  return own;
}

/** By version: those on the path, and those that pyenv keeps. */
function installedPythons(): ReadonlyMap<string, string> {
  const kept = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const folders = existsSync(kept) ? readdirSync(kept) : [];
  const found = versions.flatMap((version): [string, string][] => {
    const folder = folders.find((name) => name.startsWith(`${version}.`));
    if (folder !== undefined) return [[version, join(kept, folder, "bin", "python3")]];
    const program = `python${version}`;
    return findProgram(program) ? [[version, program]] : [];
  });
  return new Map(found);
}

function titleOf(version: string): string {
  return `the Python package on ${version}`;
}
