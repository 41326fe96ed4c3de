import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { chooseCpus } from "./cpu-choice.ts";
import { descendants, type ProcessEntry, readProcesses, readText } from "./process-table.ts";
import { limitedCommand, scriptEnvironment } from "./script-command.ts";
import { prepareFolders } from "./script-folders.ts";
import type { ScriptIsolation, ScriptOutcome, ScriptRun } from "./script-run.ts";
import { sealedStdio } from "./sealed-stdio.ts";
import { type StartedScript, sendSignal, superviseScript } from "./supervise-script.ts";

/** Marks every process of a script by what it inherits. */
const mark = "SCRIPT_RUN";

/**
 * Scripts as processes of ours: they are held to their limits and ended like others, but may read and write whatever the trainer may, and reach the network.
 * For machines whose every user may do everything anyway.
 */
export class UnsafeProcess implements ScriptIsolation {
  readonly name = "unsafe-process";

  async available(): Promise<true | string> {
    return process.platform === "linux" || "Scripts can be held to limits on Linux alone. Run the trainer there.";
  }

  folder(directory: string): string {
    return directory;
  }

  async run(run: ScriptRun): Promise<ScriptOutcome> {
    const available = await this.available();
    if (available !== true) throw new AimassError("FAILED_PRECONDITION", available);
    if (run.signal.aborted) return { kind: "cancelled" };
    const folders = await prepareFolders(run.directory, { uid: undefined, uidInside: process.getuid?.() ?? 0 });
    const id = randomUUID();
    const tmp = join(run.directory, "tmp");
    const base = { PATH: process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin", HOME: tmp, TMPDIR: tmp };
    const env = { ...scriptEnvironment(run, base), [mark]: id };
    // The kernel counts processes by user, and the trainer's user has others.
    const command = limitedCommand(run, { cpus: await chooseCpus(run.limits.cpus, run.clock), limitProcesses: false });
    using sealed = sealedStdio(["ignore", "pipe", "pipe"]);
    const child = spawn("/usr/bin/setpriv", ["--pdeathsig", "KILL", "--", ...command], {
      cwd: join(run.directory, "code"),
      detached: true,
      env,
      stdio: sealed.stdio,
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) => reject(new AimassError("FAILED_PRECONDITION", notInstalled, { cause })));
    });
    const family = new Family(child.pid as number, id);
    const own: StartedScript["own"] = (table) => family.members(table);
    return superviseScript(run, { child, folders, own, kill: () => family.kill() });
  }
}

const notInstalled =
  "Scripts cannot be started here: util-linux is missing. Install it (Debian, Ubuntu: apt-get install util-linux).";

/** The processes of one script, also those that left their parent, group and session. */
class Family {
  readonly #pid: number;
  readonly #mark: string;
  /** By pid and start time, whether a process is marked. */
  readonly #known = new Map<string, boolean>();

  constructor(pid: number, id: string) {
    this.#pid = pid;
    this.#mark = `${mark}=${id}`;
  }

  members(table: readonly ProcessEntry[]): readonly ProcessEntry[] {
    return descendants(
      table,
      (entry) => entry.group === this.#pid || entry.session === this.#pid || this.#isMarked(entry),
    );
  }

  kill(): void {
    sendSignal(-this.#pid, "SIGKILL");
    for (const { pid } of this.members(readProcesses())) sendSignal(pid, "SIGKILL");
  }

  #isMarked({ pid, startTime, isZombie }: ProcessEntry): boolean {
    if (isZombie) return false;
    const key = `${pid}:${startTime}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const isMarked = readText(`/proc/${pid}/environ`)?.split("\0").includes(this.#mark) ?? false;
    this.#known.set(key, isMarked);
    return isMarked;
  }
}
