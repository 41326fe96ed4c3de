import { type ChildProcess, fork } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import type { OpenArtifact } from "@aimass/artifacts";
import { AimassError, abortError, answerOf, lentEnvironment } from "@aimass/core";
import { crashed, notStarted, tooLarge, tooSlow } from "./errors.ts";
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
  const onMessage = (message: unknown) => replyOf(child, artifact, message as FromReader, signal);
  const pending = answerOf(child, onMessage, { ...bounds, memoryCheckMs }, signal);
  tell(child, { start: job, sizeBytes: artifact.sizeBytes, hasDescriptor: artifact.descriptor !== undefined });
  const outcome = await pending;
  switch (outcome.kind) {
    case "answered":
      return outcome.answer;
    case "ended":
      throw endOf(outcome.status, outcome.signal, bounds.memoryLimitBytes);
    case "too slow":
      throw tooSlow(bounds.timeoutMs);
    case "too large":
      throw tooLarge(bounds.memoryLimitBytes);
    case "not started":
      throw notStarted(outcome.cause);
  }
}

function startReader({ descriptor }: OpenArtifact, { memoryLimitBytes }: ReadingBounds): ChildProcess {
  const main = fileURLToPath(new URL("./reading-main.ts", import.meta.url));
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
    env: lentEnvironment(),
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc", descriptor ?? "ignore"],
  });
}

/** What it found; undefined when it wants a part of the file, which it is lent. Throws what it refused the file for. */
function replyOf(
  child: ChildProcess,
  artifact: OpenArtifact,
  message: FromReader,
  signal: AbortSignal,
): ReadingResult | Promise<undefined> {
  if ("found" in message) return message.found;
  if ("refused" in message) throw errorOf(message.refused);
  return lend(child, artifact, message, signal);
}

async function lend(
  child: ChildProcess,
  artifact: OpenArtifact,
  part: { readonly wanted: number; readonly offset: number; readonly length: number },
  signal: AbortSignal,
): Promise<undefined> {
  const bytes = await artifact.read(part.offset, Math.min(part.length, longestPart), signal);
  tell(child, { part: part.wanted, bytes });
}

/** A process that has ended is told nothing; its end is an event of its own. */
function tell(child: ChildProcess, message: ToReader): void {
  if (child.connected) child.send(message, () => {});
}

/** V8 aborts when its heap is full. */
function endOf(status: number | null, killedBy: NodeJS.Signals | null, memoryLimitBytes: number): AimassError {
  const aborted = killedBy === "SIGABRT" || status === 128 + constants.signals.SIGABRT;
  return aborted ? tooLarge(memoryLimitBytes) : crashed(killedBy ?? `exit status ${status}`);
}

function errorOf({ code, message, reason, field, remedy }: Refusal): AimassError {
  return new AimassError(code, shortened(message, longestMessage), {
    ...(reason !== undefined && { reason }),
    ...(field !== undefined && { field: shortened(requestFields.get(field) ?? field, longestField) }),
    ...(remedy !== undefined && { remedy: shortened(remedy, longestMessage) }),
  });
}

function shortened(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
