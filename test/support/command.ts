import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../services/cli/bin/aimass.js", import.meta.url));

/** What a command left: its words and its exit status. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The `aimass` command as its users run it: a process with a configuration folder of its own. */
export class Command {
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string>>) {
    const { AIMASS_SERVER: _server, AIMASS_API_KEY: _key, INIT_CWD: _cwd, ...inherited } = process.env;
    this.#env = { ...inherited, NO_COLOR: "1", ...env };
  }

  /** Runs to the end. */
  run(...args: string[]): Promise<CommandResult> {
    return this.result(this.start(args));
  }

  /** What a started command leaves when it ends. */
  result(child: ChildProcess): Promise<CommandResult> {
    const texts = { stdout: "", stderr: "" };
    child.stdout?.on("data", (chunk: Buffer) => {
      texts.stdout += chunk;
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      texts.stderr += chunk;
    });
    return new Promise((resolve) => child.once("close", (status) => resolve({ status, ...texts })));
  }

  /** Starts it in a process group of its own, as a terminal does. */
  start(args: readonly string[], stdin: "ignore" | "pipe" = "ignore"): ChildProcess {
    return spawn(process.execPath, [program, ...args], {
      env: this.#env,
      stdio: [stdin, "pipe", "pipe"],
      detached: true,
    });
  }
}
