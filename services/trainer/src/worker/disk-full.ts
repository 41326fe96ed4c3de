import { AimassError } from "@aimass/core";

/** No space, quota used up, or a file larger than its filesystem allows. */
const codes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Says in a sentence what a full disk makes of any write; other errors stay as they are. Trying again at once would not help. */
export function asDiskFull(error: unknown): unknown {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (!codes.has((e as NodeJS.ErrnoException).code ?? "")) continue;
    return new AimassError("RESOURCE_EXHAUSTED", "The trainer's disk is full: the job has no room for its files.", {
      reason: "DISK_FULL",
      remedy: "Make room in its state directory, or train on less data.",
      cause: error,
    });
  }
  return error;
}
