import { type ChildProcess, fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import type { OpenArtifact } from "@aimass/artifacts";
import { AimassError, abortError } from "@aimass/core";
import { crashed, notStarted, remedyOfLimit, tooLarge, tooSlow } from "./errors.ts";
import type {
  FromReader,
  Preview,
  PreviewJob,
  Profile,
  ProfileJob,
  ReadingJob,
  ReadingResult,
  Refusal,
  ToReader,
} from "./messages.ts";

/** How much a reading process may take. */
export interface ReadingBounds {
  readonly timeoutMs: number;
  /** Resident memory, in bytes; watched on Linux only. JavaScript's heap is bound everywhere. */
  readonly memoryLimitBytes: number;
}

const mebibyte = 1024 * 1024;
const memoryCheckMs = 25;
/** What a reading process may ask for at a time. */
const longestPart = 16 * mebibyte;
const longestMessage = 2000;
const longestField = 200;

/** Where the options of @aimass/datasets stand in a request. */
const requestFields: ReadonlyMap<string, string> = new Map([
  ["types", "read.types"],
  ["delimiter", "read.delimiter"],
]);

/** What the registry's environment may lend to a process that reads a stranger's file: nothing secret. */
const lentVariables = ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "SystemRoot"] as const;

/**
 * Reads an artifact in a process of its own, which it may crash, hang or fill; that process may write no file, is told no secrets, and reaches the storage
 * through the artifact it is lent alone. Errors: those of @aimass/datasets; RESOURCE_EXHAUSTED (too much memory or time), INVALID_ARGUMENT (it crashes the
 * reader), UNAVAILABLE; the signal's reason.
 */
export async function readApart(
  job: ProfileJob,
  artifact: OpenArtifact,
  bounds: ReadingBounds,
  signal: AbortSignal,
): Promise<Profile>;
export async function readApart(
  job: PreviewJob,
  artifact: OpenArtifact,
  bounds: ReadingBounds,
  signal: AbortSignal,
): Promise<Preview>;
export async function readApart(
  job: ReadingJob,
  artifact: OpenArtifact,
  bounds: ReadingBounds,
  signal: AbortSignal,
): Promise<ReadingResult> {
  if (signal.aborted) throw abortError(signal);
  const child = startReader(artifact, bounds);
  try {
    const outcome = outcomeOf(child, artifact, bounds, signal);
    tell(child, { start: job, sizeBytes: artifact.sizeBytes, hasDescriptor: artifact.descriptor !== undefined });
    return await outcome;
  } finally {
    child.kill("SIGKILL");
  }
}

function startReader({ descriptor }: OpenArtifact, { memoryLimitBytes }: ReadingBounds): ChildProcess {
  const main = fileURLToPath(new URL("./reading-main.ts", import.meta.url));
  const lent = lentVariables.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const heapMebibytes = Math.floor((memoryLimitBytes / mebibyte) * 0.75);
  return fork(main, [], {
    execArgv: [
      "--permission",
      "--allow-fs-read=*",
      "--allow-worker",
      `--max-old-space-size=${heapMebibytes}`,
      "--disable-warning=ExperimentalWarning",
      "--disable-warning=SecurityWarning",
    ],
    env: Object.fromEntries(lent),
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc", descriptor ?? "ignore"],
  });
}

/** The first thing that happens: a reply, an end without one, a limit, or the caller's abort. */
function outcomeOf(
  child: ChildProcess,
  artifact: OpenArtifact,
  { timeoutMs, memoryLimitBytes }: ReadingBounds,
  signal: AbortSignal,
): Promise<ReadingResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ReadingResult>();
  const onAbort = () => reject(abortError(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  const deadline = setTimeout(() => reject(tooSlow(timeoutMs)), timeoutMs);
  const watch = setInterval(async () => {
    if ((await residentBytes(child.pid)) > memoryLimitBytes) reject(tooLarge(memoryLimitBytes));
  }, memoryCheckMs);
  child.on("message", (message: FromReader) => {
    if ("found" in message) resolve(message.found);
    else if ("refused" in message) reject(errorOf(message.refused));
    else lend(child, artifact, message, signal).catch(reject);
  });
  child.on("error", (cause) => reject(notStarted(cause)));
  child.once("exit", (status, killedBy) => reject(endOf(status, killedBy, memoryLimitBytes)));
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    clearTimeout(deadline);
    clearInterval(watch);
  });
}

async function lend(
  child: ChildProcess,
  artifact: OpenArtifact,
  part: { readonly wanted: number; readonly offset: number; readonly length: number },
  signal: AbortSignal,
): Promise<void> {
  const bytes = await artifact.read(part.offset, Math.min(part.length, longestPart), signal);
  tell(child, { part: part.wanted, bytes });
}

/** A process that has ended is told nothing; its end is an event of its own. */
function tell(child: ChildProcess, message: ToReader): void {
  if (child.connected) child.send(message, () => {});
}

async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** V8 aborts when its heap is full. */
function endOf(status: number | null, killedBy: NodeJS.Signals | null, memoryLimitBytes: number): AimassError {
  const aborted = killedBy === "SIGABRT" || status === 128 + constants.signals.SIGABRT;
  return aborted ? tooLarge(memoryLimitBytes) : crashed(killedBy ?? `exit status ${status}`);
}

function errorOf({ code, message, reason, field, remedy: advice }: Refusal): AimassError {
  const remedy = reason === "DATASET_LIMIT" ? remedyOfLimit(field) : advice;
  return new AimassError(code, shortened(message, longestMessage), {
    ...(reason !== undefined && { reason }),
    ...(field !== undefined && { field: shortened(requestFields.get(field) ?? field, longestField) }),
    ...(remedy !== undefined && { remedy: shortened(remedy, longestMessage) }),
  });
}

function shortened(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
