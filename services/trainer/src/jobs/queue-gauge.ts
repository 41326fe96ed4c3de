import type { Clock } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Metrics } from "@aimass/telemetry";
import { sql } from "kysely";
import type { Database } from "../database.ts";

const everyMs = 10_000;

/** Shows the length and the age of the queue, until the signal aborts. All trainers share one queue and show the same. */
export async function gaugeQueue(o: {
  store: Store<Database>;
  metrics: Metrics;
  clock: Clock;
  signal: AbortSignal;
}): Promise<void> {
  let seen: { queued: number; running: number; oldest: number } | undefined;
  const counted = () =>
    seen === undefined
      ? []
      : [
          { value: seen.queued, labels: { state: "queued" } },
          { value: seen.running, labels: { state: "running" } },
        ];
  o.metrics.observedGauge("aimass_trainer_queue_jobs", { help: "Jobs of all projects that wait or run." }, counted);
  const oldest = { help: "How long the job has waited that has waited longest." };
  o.metrics.observedGauge("aimass_trainer_queue_oldest_seconds", oldest, () => (seen ? [{ value: seen.oldest }] : []));
  while (!o.signal.aborted) {
    const { rows } = await look(o.store).catch(() => ({ rows: [] }));
    seen = rows[0];
    await o.clock.sleep(everyMs, o.signal).catch(() => {});
  }
}

function look(store: Store<Database>) {
  return sql<{ queued: number; running: number; oldest: number }>`
    select count(*) filter (where state = 'QUEUED')::int as queued,
      count(*) filter (where state <> 'QUEUED')::int as running,
      coalesce(extract(epoch from clock_timestamp() - min(created_at) filter (where state = 'QUEUED')), 0)::float as oldest
    from job where state in ('QUEUED', 'LEASED', 'RUNNING')
  `.execute(store.db);
}
