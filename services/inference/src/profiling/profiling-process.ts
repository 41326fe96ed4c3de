import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { AimassError, abortError, lentEnvironment, residentBytes } from "@aimass/core";
import { codeCacheFolder } from "@aimass/onnx";
import type { ProfileAsk, ProfileReply } from "./profile-messages.ts";

/** What one step may take. */
export interface StepLimits {
  /** Milliseconds of work: of the clock or of CPU, whichever is less, since a busy machine makes the clock say nothing. */
  readonly workMs: number;
  /** Memory of the whole process, in bytes; watched on Linux only. */
  readonly memoryBytes: number;
}

/** How a step ended. Past "replied" the process is gone. */
export type StepOutcome =
  | { readonly kind: "replied"; readonly reply: ProfileReply }
  | { readonly kind: "too slow" }
  | { readonly kind: "too large" }
  | { readonly kind: "crashed"; readonly how: string };

/** How often a step is looked at, in milliseconds. */
const watchMs = 25;

/** On the clock a step may take so many times its limit of work. */
const clockShare = 4;

/** Steps back behind what serves, so that profiling takes the CPU that is left. */
const niceness = 5;

/** One profiling process. */
export class ProfilingProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  #isOver = false;

  constructor() {
    const codeCache = codeCacheFolder();
    this.#child = fork(fileURLToPath(new URL("./profile-main.ts", import.meta.url)), [], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
      // A GPU is found by these.
      env: { ...lentEnvironment(), ...devices(), ...(codeCache !== undefined && { NODE_COMPILE_CACHE: codeCache }) },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.#child.once("exit", () => {
      this.#isOver = true;
    });
    this.#child.on("error", () => {});
    if (this.#child.pid !== undefined) stepBack(this.#child.pid);
    this.#ready = once(this.#child, "message").then(() => {});
    this.#ready.catch(() => {});
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Memory it holds, in bytes. */
  memoryBytes(): Promise<number> {
    return residentBytes(this.#child.pid);
  }

  /** Does one step. Rejects with the signal's reason, or UNAVAILABLE when there is no process; the process is ended then. */
  async step(ask: ProfileAsk, limits: StepLimits, signal: AbortSignal): Promise<StepOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<StepOutcome>();
    const child = this.#child;
    const onMessage = (reply: ProfileReply | "ready") => {
      if (reply !== "ready") resolve({ kind: "replied", reply });
    };
    const onExit = (status: number | null, how: NodeJS.Signals | null) =>
      resolve({ kind: "crashed", how: how ?? `exit status ${status}` });
    const onAbort = () => reject(abortError(signal));
    const onError = (cause: Error) => reject(notStarted(cause));
    child.on("message", onMessage).once("exit", onExit).once("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    if (this.#isOver) reject(notStarted(new Error("It ended before it was asked.")));
    const watch = this.#watch(limits, resolve);
    try {
      await Promise.race([this.#ready, promise]);
      if (!this.#isOver && !signal.aborted) child.send(ask, (error) => (error ? onError(error) : undefined));
      const outcome = await promise;
      if (outcome.kind !== "replied") this.end();
      return outcome;
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearInterval(watch);
      signal.removeEventListener("abort", onAbort);
      child.off("message", onMessage).off("exit", onExit).off("error", onError);
    }
  }

  end(): void {
    this.#isOver = true;
    this.#child.kill("SIGKILL");
  }

  #watch({ workMs, memoryBytes }: StepLimits, resolve: (outcome: StepOutcome) => void): NodeJS.Timeout {
    const startedAt = performance.now();
    let cpuBefore: number | undefined;
    return setInterval(async () => {
      if ((await this.memoryBytes()) > memoryBytes) return resolve({ kind: "too large" });
      const cpuMs = await cpuMsOf(this.#child.pid);
      cpuBefore ??= cpuMs;
      const elapsedMs = performance.now() - startedAt;
      const workedMs = cpuMs === undefined || cpuBefore === undefined ? elapsedMs : cpuMs - cpuBefore;
      const isTooSlow = Math.min(elapsedMs, workedMs) > workMs || elapsedMs > clockShare * workMs;
      if (isTooSlow) resolve({ kind: "too slow" });
    }, watchMs);
  }
}

function notStarted(cause: Error): AimassError {
  return new AimassError("UNAVAILABLE", "The process that measures models could not be started.", { cause });
}

/** CPU time of all threads of a process in milliseconds, where the system tells it in /proc (in ticks of 10 ms, as on every Linux). */
async function cpuMsOf(pid: number | undefined): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * 10;
}

function devices(): Record<string, string> {
  const { CUDA_VISIBLE_DEVICES: visible } = process.env;
  return visible === undefined ? {} : { CUDA_VISIBLE_DEVICES: visible };
}

function stepBack(pid: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}
