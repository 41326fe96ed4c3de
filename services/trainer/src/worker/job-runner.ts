import { Backoff, type Clock, Semaphore } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Logger } from "@aimass/telemetry";
import type { Database } from "../database.ts";
import { cancelChannel, queueChannel } from "../jobs/job-journal.ts";
import { type JobLeases, type LeasedJob, renewMs } from "../jobs/job-leases.ts";
import { longestRetryMs } from "../jobs/job-state.ts";
import type { PostgresTrainers } from "../jobs/postgres-trainers.ts";
import { Bell } from "./bell.ts";
import type { GpuLoan, GpuPool } from "./gpu-pool.ts";
import type { JobSupervisor } from "./job-supervisor.ts";

export interface RunnerOptions {
  readonly store: Store<Database>;
  readonly leases: JobLeases;
  readonly trainers: PostgresTrainers;
  /** Who takes. */
  readonly holder: string;
  readonly supervisor: JobSupervisor;
  readonly clock: Clock;
  readonly log: Logger;
  readonly gpus: GpuPool;
  /** Jobs side by side. */
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** How long a free worker trusts that it would have been told of a job. */
const lookAgainMs = 5000;
/** The same soon after news of the queue: a job that broke is told of when it is sent back, and not when its wait to be tried again is over. */
const lookAgainSoonMs = 1000;
/** How often a trainer says that it is there. */
const announceMs = 10_000;

/** Takes jobs and runs them, and sends back those whose trainer went away, until the signal aborts; then resolves when its own are given back. */
export async function runJobs(options: RunnerOptions): Promise<void> {
  const { store, supervisor, workers } = options;
  const bell = new Bell();
  using _queue = await store.listen(queueChannel, () => bell.ring());
  using _cancels = await store.listen(cancelChannel, (id) => supervisor.look(id));
  const taking = new Semaphore(1);
  const slots = Array.from({ length: workers }, () => runSlot(options, { bell, taking }));
  await Promise.all([...slots, reclaimAll(options, bell), ...(workers > 0 ? [announce(options)] : [])]);
}

async function announce({ trainers, holder, gpus, clock, log, signal }: RunnerOptions): Promise<void> {
  while (!signal.aborted) {
    await trainers.announce(holder, gpus.total).catch((error: unknown) => log.debug("not announced", { error }));
    await clock.sleep(announceMs, signal).catch(() => {});
  }
}

async function runSlot(options: RunnerOptions, { bell, taking }: { bell: Bell; taking: Semaphore }): Promise<void> {
  const { supervisor, clock, log, signal } = options;
  const backoff = new Backoff({ initialMs: 200, maxMs: 5000 });
  let seen = bell.rings;
  let newsAt = clock.monotonic();
  while (!signal.aborted) {
    try {
      if (bell.rings > seen) newsAt = clock.monotonic();
      seen = bell.rings;
      const taken = await taking.run(() => take(options));
      backoff.reset();
      if (taken === undefined) {
        const mayBeRetry = clock.monotonic() - newsAt < longestRetryMs + lookAgainMs;
        await bell.waitPast(seen, clock, mayBeRetry ? lookAgainSoonMs : lookAgainMs, signal);
        continue;
      }
      using loan = taken.loan;
      await supervisor.run(taken.job, { gpus: loan.gpus, stopping: signal });
    } catch (error) {
      log.warn("no job could be taken", { error });
      await clock.sleep(backoff.next(), signal).catch(() => {});
    }
  }
}

/** Takes a job with the devices it asks for. One slot at a time, so that those that were free still are. */
async function take({ leases, gpus }: RunnerOptions): Promise<{ job: LeasedJob; loan: GpuLoan } | undefined> {
  const job = await leases.take(gpus);
  return job && { job, loan: gpus.lend(job.gpus) };
}

async function reclaimAll({ leases, clock, log, signal }: RunnerOptions, bell: Bell): Promise<void> {
  while (!signal.aborted) {
    try {
      const count = await leases.reclaim();
      if (count > 0) {
        log.warn("jobs of a silent trainer reclaimed", { count });
        bell.ring();
      }
    } catch (error) {
      log.debug("jobs not reclaimed", { error });
    }
    await clock.sleep(renewMs, signal).catch(() => {});
  }
}
