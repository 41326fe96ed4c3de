import { AimassError } from "@aimass/core";

/** Reading took more memory than it may; the process that read was ended. */
export function tooLarge(limitBytes: number): AimassError {
  const mebibytes = Math.floor(limitBytes / 1024 / 1024);
  return new AimassError("RESOURCE_EXHAUSTED", `Reading the file takes more than ${mebibytes} MiB of memory.`, {
    reason: "DATASET_TOO_LARGE",
    remedy:
      "Write it in smaller rows, pages or images, or with fewer columns, or ask an operator to raise AIMASS_DATASET_MEMORY_MB.",
  });
}

/** Reading took longer than it may; the process that read was ended. */
export function tooSlow(timeoutMs: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `Reading the file takes longer than ${timeoutMs / 1000} s.`, {
    reason: "DATASET_TOO_SLOW",
    remedy: "Split it, or ask an operator to raise AIMASS_DATASET_TIMEOUT_MS.",
  });
}

/** The process that read ended without a word. */
export function crashed(how: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The file cannot be read: it crashed its reader (${how}).`, {
    reason: "DATASET_CRASHES",
    remedy: "Write it anew with another program.",
  });
}

export function notStarted(cause: Error): AimassError {
  return new AimassError("UNAVAILABLE", "The process that reads datasets could not be started.", { cause });
}

/** Too many files wait to be read. */
export function tooBusy(waiting: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `${waiting} other datasets wait to be read.`, {
    reason: "DATASETS_BUSY",
    remedy: "Try again later.",
    retryAfterMs: 10_000,
  });
}
