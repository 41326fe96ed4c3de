import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { MetricsFile } from "./metrics-file.ts";
import { type ProcessEntry, readProcesses } from "./process-table.ts";
import { type OutputReader, readOutput } from "./script-output.ts";
import { metricsFile, type ScriptOutcome, type ScriptRun } from "./script-run.ts";
import { diskProblem, watchScript } from "./script-watch.ts";

/** A script that was started, in whatever isolation. */
export interface StartedScript {
  readonly child: ChildProcess;
  /** What the script may write to, as the platform sees it. */
  readonly folders: readonly string[];
  /** Which of all processes are the script's. */
  own(table: readonly ProcessEntry[]): readonly ProcessEntry[];
  /** SIGKILL to all of it. */
  kill(): void;
}

/** Shorter than that of whoever stops us, so that we are there when it is over. */
const graceMs = 800;
const metricsEveryMs = 200;
const goneWithinMs = 5000;

/** Follows a script to its end: tells what it prints and measures, holds it to its limits, stops it when asked, and leaves no process of it. */
export async function superviseScript(run: ScriptRun, script: StartedScript): Promise<ScriptOutcome> {
  const { clock, limits, signal } = run;
  const { child } = script;
  let cause: ScriptOutcome | undefined;
  using timers = new DisposableStack();
  const stop = (outcome: ScriptOutcome, how: "ask" | "kill") => {
    if (cause !== undefined) return;
    cause = outcome;
    if (how === "kill") return script.kill();
    for (const { pid } of script.own(readProcesses())) sendSignal(pid, "SIGTERM");
    timers.use(clock.timer(graceMs, () => script.kill()));
  };
  const reason = `The script ran longer than the ${limits.seconds} s it may.`;
  timers.use(clock.timer(limits.seconds * 1000, () => stop({ kind: "limit", limit: "seconds", reason }, "ask")));
  const cancel = () => stop({ kind: "cancelled" }, "ask");
  signal.addEventListener("abort", cancel);
  timers.defer(() => signal.removeEventListener("abort", cancel));
  if (signal.aborted) cancel();
  const ended = new AbortController();
  const watching = Promise.all([
    watchScript({
      ...run,
      ...script,
      own: (table) => script.own(table),
      onLimit: (limit, reason) => stop({ kind: "limit", limit, reason }, "kill"),
      signal: ended.signal,
    }),
    followMetrics(run, ended.signal),
  ]);
  // A script that nobody looks after must not run on; the error is thrown below, when it is gone.
  watching.catch(() => script.kill());
  const outputs = readStreams(run, child);
  // The others may still hold its pipes.
  const exit = await exitOf(child).finally(() => ended.abort());
  await killRest(run, script);
  await Promise.all(outputs.map((output) => output.finish()));
  await watching;
  return cause ?? (await judge(run, script, exit));
}

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  return { code, signal };
}

/** Kills until nothing is left. */
async function killRest({ clock }: ScriptRun, script: StartedScript): Promise<void> {
  const until = clock.monotonic() + goneWithinMs;
  while (script.own(readProcesses()).some((entry) => !entry.isZombie)) {
    script.kill();
    if (clock.monotonic() > until) throw new AimassError("INTERNAL", "Processes of the script could not be killed.");
    await clock.sleep(5);
  }
}

function readStreams({ clock, onLine }: ScriptRun, child: ChildProcess): readonly OutputReader[] {
  return (["stdout", "stderr"] as const).flatMap((from) => {
    const stream = child[from];
    return stream === null ? [] : [readOutput(stream, { clock, onLine: (line) => onLine(line, from) })];
  });
}

async function followMetrics(run: ScriptRun, ended: AbortSignal): Promise<void> {
  await using file = new MetricsFile({
    path: join(run.directory, "out", metricsFile),
    onMetric: run.onMetric,
    onProblem: (line) => run.onLine(line, "stderr"),
  });
  while (!ended.aborted) {
    await file.read();
    await run.clock.sleep(metricsEveryMs, ended).catch(() => {});
  }
  await file.finish();
}

/** A script that ends by itself may still have run into a limit: writing beyond it fails like a full disk. */
async function judge(run: ScriptRun, script: StartedScript, { code, signal }: Exit): Promise<ScriptOutcome> {
  if (code === 0) return { kind: "exited", code };
  const problem = await diskProblem(run.limits, script.folders);
  if (problem !== undefined) return { kind: "limit", limit: "disk", reason: problem };
  const name = signal ?? signalOf(code ?? 0);
  return name === undefined ? { kind: "exited", code: code ?? 0 } : { kind: "signalled", signal: name };
}

/** A launcher whose program was killed by signal N ends with 128 + N. */
function signalOf(code: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
}

/** Sends a signal to who may be gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}
