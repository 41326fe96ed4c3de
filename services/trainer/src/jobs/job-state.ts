import { JobState } from "@aimass/api/trainer";

/**
 * A job's life, by the names that are stored and that events tell:
 * QUEUED → LEASED → RUNNING → SUCCEEDED | FAILED | CANCELLED; a dead worker or trainer: LEASED | RUNNING → QUEUED.
 */
export type StateName = "QUEUED" | "LEASED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

/** A job gets this many attempts that end with a dead worker or a service away. */
export const attemptLimit = 3;

/** Whether nothing more happens to a job. */
export function hasEnded(state: StateName): boolean {
  return state === "SUCCEEDED" || state === "FAILED" || state === "CANCELLED";
}

/** The state on the wire. */
export function wireState(state: StateName): JobState {
  return JobState[state];
}

/** What becomes of a job whose attempt ended without a result. */
export type Fate =
  | { readonly state: "QUEUED"; readonly reason: string; readonly waitMs: number }
  | { readonly state: "FAILED" | "CANCELLED"; readonly reason: string };

/** How long a job waits that broke so many times. */
const retryWaitMs = (failures: number) => 1000 * 4 ** (failures - 1);

/** The longest that a job waits to be tried again. */
export const longestRetryMs = retryWaitMs(attemptLimit - 1);

/** Decides it: a wish to cancel is met, a job out of attempts fails, any other is queued again after a growing wait. */
export function fateOfBroken(job: { cancelRequested: boolean; failures: number }, reason: string): Fate {
  if (job.cancelRequested) return { state: "CANCELLED", reason: "Cancelled." };
  const failures = job.failures + 1;
  if (failures >= attemptLimit)
    return { state: "FAILED", reason: `${reason} That was attempt ${failures} of ${attemptLimit}.` };
  return { state: "QUEUED", reason: `${reason} It will be tried again.`, waitMs: retryWaitMs(failures) };
}
