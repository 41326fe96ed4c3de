import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "./program.ts";

const scripts = fileURLToPath(new URL("./python", import.meta.url));
const home = fileURLToPath(new URL("../.venv", import.meta.url));
const installTimeoutMs = 600_000;

/** A virtual environment with the pinned stock clients, made once and again when the pins change. */
export class PythonEnvironment {
  readonly python: string;

  private constructor(python: string) {
    this.python = python;
  }

  static async open(): Promise<PythonEnvironment> {
    const requirements = join(scripts, "requirements.txt");
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
    return new PythonEnvironment(python);
  }

  /** Runs one of the scripts beside this file; returns its standard output. */
  run(script: string, args: readonly string[], timeoutMs: number): Promise<string> {
    return mustRun(this.python, [join(scripts, script), ...args], { timeoutMs });
  }

  /** A folder of the environment for things fetched once. */
  folder(name: string): string {
    return join(home, name);
  }
}
