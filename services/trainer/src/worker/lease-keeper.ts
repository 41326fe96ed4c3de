import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { type JobLeases, type LeasedJob, renewMs } from "../jobs/job-leases.ts";
import type { Bell } from "./bell.ts";

/** Why a job has to stop here: "lost" says it is somebody else's, "late" that it used up its time. */
export type Stop = "cancelled" | "lost" | "stopping" | "late";

/**
 * A holder that cannot reach the database for so long gives up. Until then it goes on: without the database nobody else can take over, and with it the attempt
 * fences, so that the worst is work done twice.
 */
const giveUpMs = 60_000;

export interface LeaseKeeping {
  readonly leases: JobLeases;
  readonly job: LeasedJob;
  readonly clock: Clock;
  readonly log: Logger;
  /** Rings when there may be a wish to cancel. */
  readonly bell: Bell;
  /** When the job's time is used up, by `clock.monotonic`. */
  readonly deadline: number;
  /** This process ends. */
  readonly stopping: AbortSignal;
  /** The job ended by itself. */
  readonly ended: AbortSignal;
}

/** Renews a lease until the job ended; resolves at once when it should stop, with the reason. */
export async function keepLease(keeping: LeaseKeeping): Promise<Stop | undefined> {
  const { clock, bell, deadline, stopping, ended } = keeping;
  let renewedAt = clock.monotonic();
  let seen = bell.rings;
  while (true) {
    const asked = clock.monotonic();
    if (ended.aborted) return undefined;
    if (stopping.aborted) return "stopping";
    if (asked >= deadline) return "late";
    const state = await renew(keeping);
    if (state === "cancelled" || state === "lost") return state;
    if (state === "held") renewedAt = asked;
    else if (clock.monotonic() - renewedAt > giveUpMs) return "lost";
    await bell.waitPast(seen, clock, Math.max(1, Math.min(renewMs, deadline - clock.monotonic())), ended, stopping);
    seen = bell.rings;
  }
}

async function renew({ leases, job, log }: LeaseKeeping): Promise<"held" | "cancelled" | "lost" | "unknown"> {
  try {
    return await leases.renew(job);
  } catch (error) {
    log.warn("lease not renewed", { job: job.id, error });
    return "unknown";
  }
}
