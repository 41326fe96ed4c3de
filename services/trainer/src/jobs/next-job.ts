import { sql } from "kysely";
import type { JobRow, Transaction } from "../database.ts";
import type { Quota } from "./postgres-quotas.ts";
import { mostGpus } from "./postgres-trainers.ts";

/** A trainer that stops in the middle of taking must not keep others from it for longer. */
const longestIdleMs = 5000;

/** Devices of a trainer. */
export interface GpuRoom {
  readonly free: number;
  readonly total: number;
}

interface Choice {
  /** Bounds of projects without their own. */
  readonly defaults: Quota;
  readonly gpus: GpuRoom;
}

/**
 * The job to run next, held by the transaction; undefined when none may run. Highest priority first; among equals a job of the project with the fewest running,
 * then of the one that has waited longest for its turn; within a project first come, first served. Projects at their bound are passed over.
 * One trainer at a time takes, so that bounds hold over all of them.
 */
export async function nextJob(tx: Transaction, choice: Choice): Promise<JobRow | undefined> {
  await sql`select set_config('idle_in_transaction_session_timeout', ${String(longestIdleMs)}, true)`.execute(tx);
  await sql`select pg_advisory_xact_lock(hashtextextended('aimass.trainer.take', 0))`.execute(tx);
  const id = await choose(tx, choice);
  if (id === undefined) return undefined;
  const row = await tx.selectFrom("job").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
  // It was cancelled meanwhile: the bell rings again for whatever is behind it.
  if (row?.state !== "QUEUED") return undefined;
  await tx
    .insertInto("turn")
    .values({ project: row.project, taken_at: sql<Date>`clock_timestamp()` })
    .onConflict((c) => c.column("project").doUpdateSet({ taken_at: sql<Date>`clock_timestamp()` }))
    .execute();
  return row;
}

/**
 * Devices are given out in the order of the queue: while its first job waits for them, jobs without go past it, and none that would take a device away. A job that wants
 * more than this trainer has is left to one that has them; when there is none it is taken, and fails with a sentence.
 */
async function choose(tx: Transaction, { defaults, gpus }: Choice): Promise<string | undefined> {
  const first = await headOfQueue(tx, defaults);
  if (first === undefined || first.gpus <= gpus.free) return first?.id;
  if (first.gpus > gpus.total) {
    if (first.gpus > ((await mostGpus(tx)) ?? 0)) return first.id;
    const own = await headOfQueue(tx, defaults, gpus.total);
    if (own === undefined || own.gpus <= gpus.free) return own?.id;
  }
  return (await headOfQueue(tx, defaults, 0))?.id;
}

/** Looks at the first job of each project's queue, however long the queues are: of those that ask for so many devices at most, when that is given. */
async function headOfQueue(
  tx: Transaction,
  defaults: Quota,
  gpusAtMost?: number,
): Promise<{ id: string; gpus: number } | undefined> {
  const { rows } = await sql<{ id: string; gpus: number }>`
    with recursive waiting(project) as (
      (select project from job where state = 'QUEUED' order by project limit 1)
      union all
      select (select job.project from job where state = 'QUEUED' and job.project > waiting.project order by job.project limit 1)
      from waiting where waiting.project is not null
    ),
    active as (
      select project, count(*) as jobs from job where state in ('LEASED', 'RUNNING') group by project
    )
    select head.id, head.gpus
    from waiting
    cross join lateral (
      select id, priority, position, gpus from job
      where job.project = waiting.project and state = 'QUEUED' and runnable_at <= clock_timestamp()
        ${gpusAtMost === undefined ? sql`` : gpusAtMost === 0 ? sql`and gpus = 0` : sql`and gpus <= ${gpusAtMost}`}
      order by priority desc, position limit 1
    ) head
    left join active on active.project = waiting.project
    left join quota on quota.project = waiting.project
    left join turn on turn.project = waiting.project
    where coalesce(quota.max_running, ${defaults.maxRunning}::int) = 0
      or coalesce(active.jobs, 0) < coalesce(quota.max_running, ${defaults.maxRunning}::int)
    order by head.priority desc, coalesce(active.jobs, 0), turn.taken_at nulls first, head.position
    limit 1
  `.execute(tx);
  return rows[0];
}
