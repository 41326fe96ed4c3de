import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { AimassError } from "@aimass/core";
import { sandboxArguments, scriptFolder, uidInNamespace, withPythonBases } from "./bubblewrap-arguments.ts";
import { notInstalled, pathProblem, probeSandbox } from "./bubblewrap-probe.ts";
import { chooseCpus } from "./cpu-choice.ts";
import { descendants, type ProcessEntry, readProcess } from "./process-table.ts";
import { limitedCommand, scriptEnvironment } from "./script-command.ts";
import { openWay, prepareFolders } from "./script-folders.ts";
import type { ScriptIsolation, ScriptOutcome, ScriptRun } from "./script-run.ts";
import { sealedStdio } from "./sealed-stdio.ts";
import { type StartedScript, sendSignal, superviseScript } from "./supervise-script.ts";
import { systemCallFilter } from "./system-call-filter.ts";

/**
 * Who the script is to the machine. "inside": we are root, and it becomes somebody else once the sandbox stands. "before": we are root without the right to
 * make namespaces, so it becomes somebody else first and makes a user namespace. "same": we are not root; it is we, in a user namespace.
 */
export type BecomesOther = "inside" | "before" | "same";

export interface BubblewrapOptions {
  /** Folders a script may read beside the system's, for instance a Python virtual environment; whose base comes along by itself. */
  readonly paths: readonly string[];
  /** Folders it must never see: no path may lead into them. Scratch folders may lie in the first, which others must be allowed to pass through then. */
  readonly hidden: readonly string[];
  /** Absent: the first that works here. */
  readonly becomes?: BecomesOther;
}

const systemPath = "/usr/local/bin:/usr/bin:/bin";
/** Uids for services that come and go (systemd's DynamicUser); nobody owns a file by them. */
const [firstUid, uidCount] = [61_184, 4336];
let uidsTaken = 0;

/**
 * Scripts in namespaces of their own (bwrap(1)): they see the system's programs, the paths they were given and their scratch folder, no network and nobody
 * else's processes, and have no capabilities. When their first process ends, the kernel ends all the others.
 */
export class Bubblewrap implements ScriptIsolation {
  readonly name = "bubblewrap";
  readonly #paths: readonly string[];
  readonly #hidden: readonly string[];
  #becomes: BecomesOther | undefined;
  #found: Promise<true | string> | undefined;

  constructor({ paths, hidden, becomes }: BubblewrapOptions) {
    this.#paths = withPythonBases(paths);
    this.#hidden = hidden;
    this.#becomes = becomes;
  }

  available(): Promise<true | string> {
    // What is missing may come; what is there stays.
    this.#found ??= this.#find().then((found) => {
      if (found !== true) this.#found = undefined;
      return found;
    });
    return this.#found;
  }

  folder(): string {
    return scriptFolder;
  }

  async run(run: ScriptRun): Promise<ScriptOutcome> {
    const available = await this.available();
    if (available !== true) throw new AimassError("FAILED_PRECONDITION", available);
    return this.#runAs(run, this.#becomes as BecomesOther);
  }

  async #find(): Promise<true | string> {
    for (const path of this.#paths) {
      const problem = await pathProblem(path, this.#hidden);
      if (problem !== undefined) return problem;
    }
    const candidates = this.#becomes
      ? [this.#becomes]
      : process.getuid?.() === 0
        ? (["inside", "before"] as const)
        : (["same"] as const);
    const answers = [];
    for (const becomes of candidates) {
      const answer = await probeSandbox((run) => this.#runAs(run, becomes));
      if (answer !== true) {
        answers.push(answer);
        continue;
      }
      this.#becomes = becomes;
      return true;
    }
    return answers[0] as string;
  }

  async #runAs(run: ScriptRun, becomes: BecomesOther): Promise<ScriptOutcome> {
    if (run.signal.aborted) return { kind: "cancelled" };
    const uid = becomes === "same" ? undefined : firstUid + ((process.pid * 31 + uidsTaken++) % uidCount);
    const [above] = this.#hidden;
    if (becomes === "before" && above !== undefined) await openWay(run.directory, above);
    const environment = scriptEnvironment(run, this.#base());
    const folders = await prepareFolders(run.directory, {
      uid,
      uidInside: becomes === "inside" && uid ? uid : uidInNamespace,
    });
    const command = limitedCommand(run, { cpus: await chooseCpus(run.limits.cpus, run.clock), limitProcesses: true });
    const become = uid === undefined ? [] : becomeCommand(uid);
    const view = sandboxArguments({ ...run, paths: this.#paths, environment, userNamespace: becomes !== "inside" });
    const child = startSandbox({
      launcher: [...(becomes === "before" ? become : []), "bwrap"],
      view,
      command: [...(becomes === "inside" ? become : []), ...command],
    });
    return superviseScript(run, await startedSandbox(child, folders));
  }

  #base(): Readonly<Record<string, string>> {
    const programs = this.#paths.filter((path) => !path.startsWith("/usr/")).map((path) => join(path, "bin"));
    return { PATH: [...programs, systemPath].join(":"), HOME: "/tmp", TMPDIR: "/tmp" };
  }
}

function becomeCommand(uid: number): string[] {
  return ["/usr/bin/setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups", "--inh-caps=-all", "--"];
}

/** Arguments and filter go by pipes, as a command line is for everybody to read. */
function startSandbox(o: {
  launcher: readonly string[];
  view: readonly string[];
  command: readonly string[];
}): ChildProcess {
  const [program, ...rest] = o.launcher;
  const filter = systemCallFilter();
  const options = [...o.view, ...(filter === undefined ? [] : ["--seccomp", "4"]), "--json-status-fd", "5"];
  using sealed = sealedStdio(["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"]);
  const child = spawn(program as string, [...rest, "--args", "3", "--", ...o.command], {
    // It must not be in our process group, or whoever stops us would take its moment to tidy up from it.
    detached: true,
    env: { PATH: systemPath },
    stdio: sealed.stdio,
  });
  const [, , , argumentsPipe, filterPipe] = child.stdio as unknown as Writable[];
  for (const pipe of [argumentsPipe, filterPipe]) pipe?.on("error", () => {});
  argumentsPipe?.end(options.map((option) => `${option}\0`).join(""));
  filterPipe?.end(filter);
  return child;
}

async function startedSandbox(child: ChildProcess, folders: readonly string[]): Promise<StartedScript> {
  let first: ProcessEntry | undefined;
  const isFirst = ({ pid, startTime }: ProcessEntry) => pid === first?.pid && startTime === first.startTime;
  readFirstProcess(child, (pid) => {
    first = readProcess(pid);
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new AimassError("FAILED_PRECONDITION", notInstalled, { cause })));
  });
  return {
    child,
    folders,
    // Whoever loses its parent gets the sandbox's first process for one, so that all of them descend from it.
    own: (table) => descendants(table, isFirst),
    kill() {
      const found = first && readProcess(first.pid);
      if (found !== undefined && isFirst(found)) sendSignal(found.pid, "SIGKILL");
      child.kill("SIGKILL");
    },
  };
}

/** bwrap says {"child-pid": …} when the sandbox's first process is there. */
function readFirstProcess(child: ChildProcess, onFound: (pid: number) => void): void {
  let status = "";
  const pipe = (child.stdio as unknown as Readable[])[5] as Readable;
  pipe.on("error", () => {});
  pipe.on("data", (chunk: Buffer) => {
    const known = /"child-pid"/.test(status);
    if (!known) status += chunk.toString();
    const pid = /"child-pid"\s*:\s*(\d+)/.exec(status)?.[1];
    if (!known && pid !== undefined) onFound(Number(pid));
  });
}
