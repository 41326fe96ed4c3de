import { AimassError } from "@aimass/core";

/** What admission looks at. */
export interface Demand {
  readonly principalInFlight: number;
  readonly principalLimit: number;
  readonly totalInFlight: number;
  readonly totalLimit: number;
}

/** Why a call is refused by the limits on how many may be under way; undefined when it is admitted. */
export function refuseByQuota(demand: Demand): AimassError | undefined {
  if (demand.totalInFlight >= demand.totalLimit)
    return overload(`The router has ${demand.totalLimit} calls under way, which is its limit.`, "ROUTER_FULL", 200);
  if (demand.principalInFlight >= demand.principalLimit)
    return overload(
      `You have ${demand.principalLimit} calls under way, which is the limit for one caller.`,
      "CALLER_QUOTA",
      100,
    );
  return undefined;
}

/** A replica's queue: calls waiting or running, and the wait each of them adds (0: not known yet). */
export interface QueueView {
  readonly load: number;
  readonly serviceMs: number;
}

/** Below this many calls a prediction says little: a batch may take them all at once. */
const leastLoad = 16;

/** The wait a new call has before it on the least loaded replica, in milliseconds; 0 when one of them is hardly loaded or unknown. */
export function predictWaitMs(queues: readonly QueueView[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { load, serviceMs } of queues) {
    if (load < leastLoad || serviceMs === 0) return 0;
    least = Math.min(least, load * serviceMs);
  }
  return least === Number.POSITIVE_INFINITY ? 0 : least;
}

/** Refuses a call whose predicted wait is beyond its deadline: it would only make the queue longer. */
export function refuseByWait(waitMs: number, remainingMs: number): AimassError | undefined {
  if (waitMs <= remainingMs) return undefined;
  const message = `The queue is about ${Math.ceil(waitMs)} ms long and the deadline is ${Math.ceil(remainingMs)} ms away.`;
  return overload(message, "DEADLINE_OUT_OF_REACH", Math.ceil(waitMs - remainingMs));
}

function overload(message: string, reason: string, retryAfterMs: number): AimassError {
  const remedy = "Try again after the delay that comes with this error, or allow more time.";
  return new AimassError("RESOURCE_EXHAUSTED", message, { reason, remedy, retryAfterMs });
}
