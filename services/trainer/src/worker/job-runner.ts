import { Backoff, type Clock } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Logger } from "@aimass/telemetry";
import type { Database } from "../database.ts";
import { cancelChannel, queueChannel } from "../jobs/job-journal.ts";
import { type JobLeases, renewMs } from "../jobs/job-leases.ts";
import { Bell } from "./bell.ts";
import type { JobSupervisor } from "./job-supervisor.ts";

export interface RunnerOptions {
  readonly store: Store<Database>;
  readonly leases: JobLeases;
  readonly supervisor: JobSupervisor;
  readonly clock: Clock;
  readonly log: Logger;
  /** Jobs side by side. */
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** How long a free worker trusts that it would have been told of a job. */
const lookAgainMs = 1000;

/** Takes jobs and runs them, and sends back those whose trainer went away, until the signal aborts; then resolves when its own are given back. */
export async function runJobs(options: RunnerOptions): Promise<void> {
  const { store, supervisor, workers } = options;
  const bell = new Bell();
  using _queue = await store.listen(queueChannel, () => bell.ring());
  using _cancels = await store.listen(cancelChannel, (id) => supervisor.look(id));
  const slots = Array.from({ length: workers }, () => runSlot(options, bell));
  await Promise.all([...slots, reclaimAll(options, bell)]);
}

async function runSlot({ leases, supervisor, clock, log, signal }: RunnerOptions, bell: Bell): Promise<void> {
  const backoff = new Backoff({ initialMs: 200, maxMs: 5000 });
  while (!signal.aborted) {
    try {
      const seen = bell.rings;
      const job = await leases.take();
      backoff.reset();
      if (job !== undefined) await supervisor.run(job, signal);
      else await bell.waitPast(seen, clock, lookAgainMs, signal);
    } catch (error) {
      log.warn("no job could be taken", { error });
      await clock.sleep(backoff.next(), signal).catch(() => {});
    }
  }
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
