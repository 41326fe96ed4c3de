import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { abortError } from "./signals.ts";

/** What a disposable process may take before it is given up on. */
export interface ProcessBounds {
  readonly timeoutMs: number;
  /** Resident memory, in bytes; watched on Linux only. */
  readonly memoryLimitBytes: number;
  /** How often its memory is looked at, in milliseconds. */
  readonly memoryCheckMs: number;
}

/** The first thing that happened to a disposable process. */
export type ProcessOutcome<Answer> =
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "ended"; readonly status: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: "too slow" }
  | { readonly kind: "too large" }
  | { readonly kind: "not started"; readonly cause: Error };

const lentVariables = ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "SystemRoot"] as const;

/** What a process that touches a stranger's file may know of our environment: nothing secret. */
export function lentEnvironment(): Record<string, string> {
  return Object.fromEntries(
    lentVariables.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/**
 * Waits for a forked process that answers once, is given up on past its bounds, and is killed whatever happened. `onMessage` turns a message into the answer,
 * or into undefined for one that is none. Throws what it throws, or the signal's reason.
 */
export async function answerOf<Answer>(
  child: ChildProcess,
  onMessage: (message: unknown) => Answer | undefined | Promise<undefined>,
  { timeoutMs, memoryLimitBytes, memoryCheckMs }: ProcessBounds,
  signal?: AbortSignal,
): Promise<ProcessOutcome<Answer>> {
  const { promise, resolve, reject } = Promise.withResolvers<ProcessOutcome<Answer>>();
  const onAbort = () => reject(abortError(signal as AbortSignal));
  signal?.addEventListener("abort", onAbort, { once: true });
  const deadline = setTimeout(() => resolve({ kind: "too slow" }), timeoutMs);
  const watch = setInterval(async () => {
    if ((await residentBytes(child.pid)) > memoryLimitBytes) resolve({ kind: "too large" });
  }, memoryCheckMs);
  child.on("message", async (message) => {
    try {
      const answer = await onMessage(message);
      if (answer !== undefined) resolve({ kind: "answered", answer });
    } catch (error) {
      reject(error);
    }
  });
  child.on("error", (cause) => resolve({ kind: "not started", cause }));
  // "exit" may come before the last message was read; "close" comes after.
  child.once("close", (status, signal) => resolve({ kind: "ended", status, signal }));
  try {
    if (signal?.aborted) onAbort();
    return await promise;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    clearTimeout(deadline);
    clearInterval(watch);
    child.kill("SIGKILL");
  }
}

/** Memory that a process holds, in bytes, where the system tells it in /proc; else 0. */
export async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
