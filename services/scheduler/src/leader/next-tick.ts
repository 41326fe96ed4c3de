import type { Outcome } from "../reconcile/reconcile.ts";
import type { Snapshot } from "../reconcile/snapshot.ts";
import type { Observed } from "../state/observed.ts";

/** Passes that are due by the clock alone come this many ticks apart at most, while nothing is under way. */
const calmTicks = 10;

/** When the first lease runs out, in milliseconds from the time that was observed; infinite when there is none. */
export function earliestExpiry({ now, nodes, replicas }: Pick<Observed, "now" | "nodes" | "replicas">): number {
  const ends = [...nodes, ...replicas].map(({ life }) => life.leaseUntil).filter((leaseUntil) => leaseUntil > now);
  return Math.min(Number.POSITIVE_INFINITY, ...ends) - now;
}

/**
 * Longest wait until the next pass. Whatever people or replicas do wakes the leader by itself; by the clock alone change who is waited for, what drains, and leases. With
 * none of the former the next pass is due when the first lease may run out.
 */
export function nextTick(snapshot: Snapshot, outcome: Outcome, expiryMs: number, tickMs: number): number {
  const isWaiting = [...snapshot.nodes, ...snapshot.replicas].some(({ presence }) => presence === "missing");
  const isDraining = outcome.decisions.placements.some(({ releasedAt }) => releasedAt !== undefined);
  const isSettled = [...outcome.statuses.values()].every(({ settled }) => settled);
  if (isWaiting || isDraining || !isSettled) return tickMs;
  return Math.min(Math.max(expiryMs, tickMs), tickMs * calmTicks);
}
