import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "./program.ts";

const scripts = fileURLToPath(new URL("./python", import.meta.url));

/** What is installed together: stock clients, clients of serving platforms, or exporters and the libraries they export from. */
export const pythonKinds = ["clients", "serving", "exporters"] as const;
export type PythonKind = (typeof pythonKinds)[number];

const kinds: Readonly<Record<PythonKind, { requirements: string; home: string }>> = {
  clients: { requirements: "requirements.txt", home: "../.venv" },
  serving: { requirements: "serving-requirements.txt", home: "../.venv-serving" },
  exporters: { requirements: "exporters-requirements.txt", home: "../.venv-exporters" },
};
const installTimeoutMs = 600_000;

/** A virtual environment with pinned packages, made once and again when the pins change. */
export class PythonEnvironment {
  readonly python: string;

  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
    this.python = join(home, "bin", "python");
  }

  static async open(kind: PythonKind = "clients"): Promise<PythonEnvironment> {
    const requirements = join(scripts, kinds[kind].requirements);
    const home = fileURLToPath(new URL(kinds[kind].home, import.meta.url));
    const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex");
    const mark = join(home, "requirements.sha256");
    const python = join(home, "bin", "python");
    if (!existsSync(mark) || readFileSync(mark, "utf8") !== wanted) {
      rmSync(home, { recursive: true, force: true });
      await mustRun("python3", ["-m", "venv", home], { timeoutMs: installTimeoutMs });
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", requirements];
      await mustRun(python, pip, { timeoutMs: installTimeoutMs });
      writeFileSync(mark, wanted);
    }
    return new PythonEnvironment(home);
  }

  /** Runs one of the scripts beside this file; returns its standard output. */
  run(script: string, args: readonly string[], timeoutMs: number): Promise<string> {
    return mustRun(this.python, [join(scripts, script), ...args], { timeoutMs });
  }

  /** A folder of the environment for things fetched once. */
  folder(name: string): string {
    return join(this.#home, name);
  }
}
