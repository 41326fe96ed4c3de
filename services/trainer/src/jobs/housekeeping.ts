import type { Clock } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Logger } from "@aimass/telemetry";
import { sql } from "kysely";
import type { Database } from "../database.ts";
import type { ScratchFolders } from "../worker/scratch-folders.ts";
import type { JobLeases } from "./job-leases.ts";
import type { PostgresCheckpoints } from "./postgres-checkpoints.ts";

export interface HousekeepingOptions {
  readonly store: Store<Database>;
  readonly leases: JobLeases;
  readonly checkpoints: PostgresCheckpoints;
  readonly folders: ScratchFolders;
  readonly clock: Clock;
  readonly log: Logger;
  /** Logs and points of ended jobs are kept so many days. */
  readonly keepLogDays: number;
  readonly signal: AbortSignal;
}

const everyMs = 10 * 60_000;
/** After a start, when the jobs of a trainer that died have been taken back; and after a failure. */
const soonMs = 20_000;
const jobsAtOnce = 100;

/** Removes what nobody needs any more, at once, soon after, and every ten minutes, until the signal aborts. */
export async function keepHouse(options: HousekeepingOptions): Promise<void> {
  const { clock, log, signal } = options;
  let waitMs = soonMs;
  while (!signal.aborted) {
    try {
      const folders = await options.folders.sweep(options.leases);
      await options.checkpoints.sweep();
      const jobs = await trimJobs(options);
      if (folders + jobs > 0) log.info("swept", { folders, trimmedJobs: jobs });
    } catch (error) {
      log.warn("not swept", { error });
      waitMs = soonMs;
    }
    await clock.sleep(waitMs, signal).catch(() => {});
    waitMs = everyMs;
  }
}

/** Deletes logs and points that are too old; the job, its report and its last event stay. How many jobs. */
export async function trimJobs({
  store,
  keepLogDays,
  signal,
}: Pick<HousekeepingOptions, "store" | "keepLogDays" | "signal">): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    const { rows } = await sql`
      with old as (
        select id, sequence from job
        where ended_at < clock_timestamp() - ${keepLogDays} * interval '1 day' and not trimmed
        order by ended_at limit ${jobsAtOnce} for update skip locked
      ),
      gone as (
        delete from job_event using old where job_event.job_id = old.id and job_event.sequence < old.sequence
      )
      update job set trimmed = true from old where job.id = old.id returning job.id
    `.execute(store.db);
    count += rows.length;
    if (rows.length < jobsAtOnce) break;
  }
  return count;
}
