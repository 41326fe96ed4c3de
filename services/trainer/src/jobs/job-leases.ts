import type { JobSpec } from "@aimass/api/trainer";
import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database, JobRow, Transaction } from "../database.ts";
import { changeBy, type JobBatch } from "./job-batch.ts";
import type { JobChange, JobJournal } from "./job-journal.ts";
import { jobMessage } from "./job-message.ts";
import { type Fate, fateOfBroken } from "./job-state.ts";
import { type GpuRoom, nextJob } from "./next-job.ts";
import type { Quota } from "./postgres-quotas.ts";
import { storeReport } from "./postgres-reports.ts";

/** How long a lease holds without being renewed. */
export const leaseMs = 8000;
/** How often it is renewed. */
export const renewMs = 2000;

/** Of all its attempts. */
const mostPoints = 10_000;

/** A job this process holds. `attempt` fences: what a holder of an earlier attempt writes is refused. */
export interface LeasedJob {
  readonly id: string;
  readonly attempt: number;
  readonly holder: string;
  readonly spec: JobSpec;
  readonly createdBy: string;
  readonly traceparent: string;
  /** How many devices it asks for. */
  readonly gpus: number;
  /** Points of curves that this attempt may tell. */
  readonly points: number;
  /** How long it was in the queue, in milliseconds, before its first attempt; undefined for later ones. */
  readonly waitedMs: number | undefined;
}

/** How an attempt ended well. */
export interface JobResult {
  readonly metrics: Readonly<Record<string, number>>;
  readonly modelVersion: bigint;
  /** One sentence. */
  readonly reason: string;
  readonly aliasMoved: boolean;
}

/** Who holds which job. Expiry is judged by the database's clock alone. */
export class JobLeases {
  readonly #store: Store<Database>;
  readonly #journal: JobJournal;
  readonly #holder: string;
  readonly #defaults: Quota;

  constructor(options: {
    store: Store<Database>;
    journal: JobJournal;
    holder: string;
    /** Bounds of projects without their own. */
    defaults: Quota;
  }) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#holder = options.holder;
    this.#defaults = options.defaults;
  }

  /** Takes the job whose turn it is; undefined when none may run. `gpus` is what this trainer can give it: nothing unless given. */
  take(gpus: GpuRoom = { free: 0, total: 0 }): Promise<LeasedJob | undefined> {
    return this.#store.withTransaction(async (tx) => {
      const next = await nextJob(tx, { defaults: this.#defaults, gpus });
      if (next === undefined) return undefined;
      const row = await this.#journal.change(tx, next.id, {
        state: "LEASED",
        state_reason: "Starting a worker.",
        attempt: next.attempt + 1,
        batch: 0,
        ...unknown,
        progress: 0,
        warnings: "[]",
        worker: this.#holder,
        lease_holder: this.#holder,
        lease_expires_at: expiry(),
      });
      return this.#leased(row);
    });
  }

  /**
   * Sends back the jobs whose holder fell silent; how many. After the database itself was away, holders get the time of a lease to be heard again.
   */
  reclaim(): Promise<number> {
    return this.#store.withTransaction(async (tx) => {
      const rows = await tx
        .selectFrom("job")
        .selectAll()
        .where("state", "in", ["LEASED", "RUNNING"])
        .where("lease_expires_at", "<", sql<Date>`clock_timestamp()`)
        .where(sql<boolean>`pg_postmaster_start_time() < clock_timestamp() - ${leaseMs} * interval '1 millisecond'`)
        .forUpdate()
        .skipLocked()
        .execute();
      for (const row of rows) await this.#meet(tx, row, fateOfBroken(facts(row), "The trainer that ran it went away."));
      return rows.length;
    });
  }

  /** Holds on to a job; says whether it is still ours and whether it should stop. */
  async renew(job: LeasedJob): Promise<"held" | "cancelled" | "lost"> {
    const row = await this.#store.db
      .updateTable("job")
      .set({ lease_expires_at: expiry() })
      .where("id", "=", job.id)
      .where("lease_holder", "=", job.holder)
      .where("attempt", "=", job.attempt)
      .where("state", "in", ["LEASED", "RUNNING"])
      .returning("cancel_requested")
      .executeTakeFirst();
    if (row === undefined) return "lost";
    return row.cancel_requested ? "cancelled" : "held";
  }

  /** Stores what a worker told. Bears repetition. False when the job is no longer ours, here and below. */
  tell(job: LeasedJob, batch: JobBatch): Promise<boolean> {
    return this.#asOwner(job, async (tx, row) => {
      if (BigInt(row.batch) >= BigInt(batch.number)) return;
      await tx.updateTable("job").set({ batch: batch.number }).where("id", "=", job.id).execute();
      if (batch.report !== undefined) await storeReport(tx, job, batch.report);
      await this.#journal.add(tx, job.id, batch.news);
      const change = changeBy(batch, row, this.#now());
      if (change !== undefined) await this.#journal.change(tx, job.id, change);
    });
  }

  /** Ends the job for good; only one holder ever can. */
  succeeded(job: LeasedJob, result: JobResult): Promise<boolean> {
    return this.#changeOwn(job, () => ({
      state: "SUCCEEDED",
      state_reason: result.reason,
      progress: 1,
      metrics: metricsJson(result.metrics),
      model_version: result.modelVersion,
      alias_moved: result.aliasMoved,
      ended_at: this.#now(),
      ...released,
    }));
  }

  /** The data, the parameters, the gate or a limit say no: trying again would not help. */
  failed(job: LeasedJob, reason: string, metrics: Readonly<Record<string, number>> = {}): Promise<boolean> {
    return this.#changeOwn(job, (row) => ({
      state: row.cancel_requested ? "CANCELLED" : "FAILED",
      state_reason: row.cancel_requested ? "Cancelled." : reason,
      metrics: metricsJson(metrics),
      ended_at: this.#now(),
      ...released,
    }));
  }

  /** The attempt broke; the job is tried again unless it has used its attempts up or was cancelled. */
  broke(job: LeasedJob, reason: string): Promise<boolean> {
    return this.#asOwner(job, (tx, row) => this.#meet(tx, row, fateOfBroken(facts(row), reason)));
  }

  /** Gives a job back untouched, because this process stops. Does not count as a failure. */
  release(job: LeasedJob): Promise<boolean> {
    return this.#asOwner(job, async (tx, row) => {
      if (row.cancel_requested) return this.#meet(tx, row, { state: "CANCELLED", reason: "Cancelled." });
      await this.#journal.change(tx, row.id, {
        state: "QUEUED",
        state_reason: "The trainer that ran it stopped.",
        ...released,
      });
    });
  }

  /** Those of (job, attempt) that somebody holds. */
  async held(attempts: readonly { id: string; attempt: number }[]): Promise<ReadonlySet<string>> {
    if (attempts.length === 0) return new Set();
    const rows = await this.#store.db
      .selectFrom("job")
      .select(["id", "attempt"])
      .where("id", "in", [...new Set(attempts.map(({ id }) => id))])
      .where("state", "in", ["LEASED", "RUNNING"])
      .execute();
    return new Set(rows.map(({ id, attempt }) => `${id}-${attempt}`));
  }

  async #meet(tx: Transaction, row: JobRow, fate: Fate): Promise<void> {
    const change: JobChange =
      fate.state === "QUEUED"
        ? {
            runnable_at: sql<Date>`clock_timestamp() + ${fate.waitMs} * interval '1 millisecond'`,
            failures: row.failures + 1,
          }
        : { ended_at: this.#now() };
    await this.#journal.change(tx, row.id, { ...change, state: fate.state, state_reason: fate.reason, ...released });
  }

  #changeOwn(job: LeasedJob, change: (row: JobRow) => JobChange): Promise<boolean> {
    return this.#asOwner(job, async (tx, row) => {
      await this.#journal.change(tx, job.id, change(row));
    });
  }

  #asOwner(job: LeasedJob, work: (tx: Transaction, row: JobRow) => Promise<void>): Promise<boolean> {
    return this.#store.withTransaction(async (tx) => {
      const row = await tx
        .selectFrom("job")
        .selectAll()
        .where("id", "=", job.id)
        .where("lease_holder", "=", job.holder)
        .where("attempt", "=", job.attempt)
        .where("state", "in", ["LEASED", "RUNNING"])
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) return false;
      await work(tx, row);
      return true;
    });
  }

  #leased(row: JobRow): LeasedJob {
    const spec = jobMessage(row).spec as JobSpec;
    return {
      id: row.id,
      attempt: row.attempt,
      holder: this.#holder,
      spec,
      createdBy: row.created_by,
      gpus: row.gpus,
      traceparent: row.traceparent,
      // Half of what is left, so that later attempts have some too.
      points: Math.ceil((mostPoints - row.points) / 2),
      waitedMs: row.attempt > 1 ? undefined : Math.max(0, this.#store.clock.now() - row.created_at.getTime()),
    };
  }

  #now(): Date {
    return new Date(this.#store.clock.now());
  }
}

/** Of an attempt that has not told anything. */
const unknown = { step: 0, steps: 0, loss: null, remaining_ms: null } as const;
const released = { lease_holder: null, lease_expires_at: null, remaining_ms: null } as const;

/** What could not be told is left out: JSON knows no NaN, and no number would be true. */
function metricsJson(metrics: Readonly<Record<string, number>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value))));
}

function expiry() {
  return sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;
}

function facts(row: JobRow): { cancelRequested: boolean; failures: number } {
  return { cancelRequested: row.cancel_requested, failures: row.failures };
}
