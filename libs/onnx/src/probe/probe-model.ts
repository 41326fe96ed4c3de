import { type ChildProcess, fork } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { AimassError, abortError, answerOf, lentEnvironment } from "@aimass/core";
import { codeCacheFolder } from "./code-cache.ts";
import type { ProbeReply, ProbeResult } from "./messages.ts";

/** What to probe, and how much it may take. */
export interface ProbeOptions {
  /** Folder with "model.onnx" and its external data. */
  readonly directory: string;
  /** The process is killed after this many milliseconds. */
  readonly timeoutMs: number;
  /** The process is killed past this much resident memory, in bytes; 4 GiB unless given. Watched on Linux only. */
  readonly memoryLimitBytes?: number;
  readonly signal?: AbortSignal;
}

const defaultMemoryLimit = 4 * 1024 ** 3;
const memoryCheckMs = 50;

/**
 * Inspects, loads and tries a model in a process of its own, which it may crash, hang or fill: signature, batches, memory.
 * Throws INVALID_ARGUMENT (not ONNX, refused by the runtime, not representable, unsafe external data), FAILED_PRECONDITION (it crashes
 * the runtime, outlasts `timeoutMs`, or takes more than `memoryLimitBytes`), or the signal's reason.
 */
export async function probeModel(options: ProbeOptions): Promise<ProbeResult> {
  const { directory, timeoutMs, memoryLimitBytes = defaultMemoryLimit, signal } = options;
  if (signal?.aborted) throw abortError(signal);
  const bounds = { timeoutMs, memoryLimitBytes, memoryCheckMs };
  const outcome = await answerOf(startProbe(directory), (message) => message as ProbeReply, bounds, signal);
  switch (outcome.kind) {
    case "answered":
      if (outcome.answer.ok) return outcome.answer.result;
      throw refusal(outcome.answer);
    case "ended":
      throw crashed(outcome.signal ?? `exit status ${outcome.status}`);
    case "too slow":
      throw tooSlow(timeoutMs);
    case "too large":
      throw tooLarge(memoryLimitBytes);
    case "not started":
      throw notStarted(outcome.cause);
  }
}

function startProbe(directory: string): ChildProcess {
  const main = fileURLToPath(new URL("./probe-main.ts", import.meta.url));
  const codeCache = codeCacheFolder();
  return fork(main, ["."], {
    cwd: resolve(directory),
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    env: { ...lentEnvironment(), ...(codeCache !== undefined && { NODE_COMPILE_CACHE: codeCache }) },
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

function refusal(reply: Extract<ProbeReply, { ok: false }>): AimassError {
  return new AimassError(reply.code, reply.message, {
    ...(reply.reason !== undefined && { reason: reply.reason }),
    ...(reply.field !== undefined && { field: reply.field }),
    ...(reply.remedy !== undefined && { remedy: reply.remedy }),
  });
}

function crashed(how: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The file crashes the runtime (${how}), in a process made for that.`, {
    reason: "MODEL_CRASHES",
    remedy:
      "It cannot be served as it is: run it with ONNX Runtime alone to find the operation, and export it another way.",
  });
}

function tooSlow(timeoutMs: number): AimassError {
  return new AimassError("FAILED_PRECONDITION", `Loading and one small run took longer than ${timeoutMs} ms.`, {
    reason: "MODEL_TOO_SLOW",
    remedy: "Make it smaller, or raise the time a probe may take.",
  });
}

function tooLarge(limit: number): AimassError {
  return new AimassError("FAILED_PRECONDITION", `Loading and one small run took more than ${limit} bytes of memory.`, {
    reason: "MODEL_TOO_LARGE",
    remedy: "Make it smaller, or raise the memory a probe may take.",
  });
}

function notStarted(cause: Error): AimassError {
  return new AimassError("UNAVAILABLE", "The process that tries models could not be started.", { cause });
}
