import type { Presence } from "../reconcile/snapshot.ts";

/** What is known of the life of an agent or a replica. Milliseconds since the epoch, by the database's clock. */
export interface LifeSigns {
  readonly leaseUntil: number;
  /** When its stream broke; undefined while it stands or when the process at its other end died with it. */
  readonly detachedAt: number | undefined;
}

/**
 * Whether something is there. A lease that ran out counts only once a leader has been up for one lease time: after an outage of the
 * schedulers everybody's lease has run out, and nobody is to be given up for that. A stream that broke while this leader was up counts as it is.
 */
export function presenceOf(signs: LifeSigns, at: { now: number; leaderSince: number; leaseMs: number }): Presence {
  if (signs.detachedAt === undefined && signs.leaseUntil > at.now) return "attached";
  const isFresh = signs.detachedAt !== undefined && signs.detachedAt >= at.leaderSince;
  const until = isFresh ? signs.leaseUntil : Math.max(signs.leaseUntil, at.leaderSince + at.leaseMs);
  return until > at.now ? "missing" : "gone";
}
