import type { JobSpec } from "@aimass/api/trainer";
import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database, JobRow, Transaction } from "../database.ts";
import type { JobChange, JobJournal } from "./job-journal.ts";
import { jobMessage } from "./job-message.ts";
import { type Fate, fateOfBroken } from "./job-state.ts";

/** How long a lease holds without being renewed. */
export const leaseMs = 8000;
/** How often it is renewed. */
export const renewMs = 2000;

/** A job this process holds. `attempt` fences: what a holder of an earlier attempt writes is refused. */
export interface LeasedJob {
  readonly id: string;
  readonly attempt: number;
  readonly holder: string;
  readonly spec: JobSpec;
  readonly createdBy: string;
  readonly traceparent: string;
}

/** How an attempt ended well. */
export interface JobResult {
  readonly metrics: Readonly<Record<string, number>>;
  readonly modelVersion: bigint;
  /** One sentence. */
  readonly reason: string;
}

/** Who holds which job. Expiry is judged by the database's clock alone. */
export class JobLeases {
  readonly #store: Store<Database>;
  readonly #journal: JobJournal;
  readonly #holder: string;

  constructor(store: Store<Database>, journal: JobJournal, holder: string) {
    this.#store = store;
    this.#journal = journal;
    this.#holder = holder;
  }

  /** Takes the first job of the queue that nobody else is taking; undefined when there is none. */
  take(): Promise<LeasedJob | undefined> {
    return this.#store.withTransaction(async (tx) => {
      const next = await tx
        .selectFrom("job")
        .select(["id", "attempt"])
        .where("state", "=", "QUEUED")
        .where("runnable_at", "<=", sql<Date>`clock_timestamp()`)
        .orderBy("position")
        .limit(1)
        .forUpdate()
        .skipLocked()
        .executeTakeFirst();
      if (next === undefined) return undefined;
      const row = await this.#journal.change(tx, next.id, {
        state: "LEASED",
        state_reason: "Starting a worker.",
        attempt: next.attempt + 1,
        progress: 0,
        lease_holder: this.#holder,
        lease_expires_at: expiry(),
      });
      return this.#leased(row);
    });
  }

  /** Sends back the jobs whose holder fell silent; how many. */
  reclaim(): Promise<number> {
    return this.#store.withTransaction(async (tx) => {
      const rows = await tx
        .selectFrom("job")
        .selectAll()
        .where("state", "in", ["LEASED", "RUNNING"])
        .where("lease_expires_at", "<", sql<Date>`clock_timestamp()`)
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

  /** The worker runs. False when the job is no longer ours, here and below. */
  started(job: LeasedJob): Promise<boolean> {
    return this.#changeOwn(job, () => ({ state: "RUNNING", state_reason: "Running.", started_at: this.#now() }));
  }

  progressed(job: LeasedJob, progress: number, doing: string): Promise<boolean> {
    return this.#changeOwn(job, (row) => ({
      progress,
      state_reason: row.cancel_requested ? row.state_reason : doing,
    }));
  }

  log(job: LeasedJob, line: string): Promise<boolean> {
    return this.#asOwner(job, (tx) => this.#journal.log(tx, job.id, line));
  }

  /** Ends the job for good; only one holder ever can. */
  succeeded(job: LeasedJob, result: JobResult): Promise<boolean> {
    return this.#changeOwn(job, () => ({
      state: "SUCCEEDED",
      state_reason: result.reason,
      progress: 1,
      metrics: JSON.stringify(result.metrics),
      model_version: result.modelVersion,
      ended_at: this.#now(),
      ...released,
    }));
  }

  /** The data, the parameters or the gate say no: trying again would not help. */
  failed(job: LeasedJob, reason: string, metrics: Readonly<Record<string, number>> = {}): Promise<boolean> {
    return this.#changeOwn(job, (row) => ({
      state: row.cancel_requested ? "CANCELLED" : "FAILED",
      state_reason: row.cancel_requested ? "Cancelled." : reason,
      metrics: JSON.stringify(metrics),
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
      traceparent: row.traceparent,
    };
  }

  #now(): Date {
    return new Date(this.#store.clock.now());
  }
}

const released = { lease_holder: null, lease_expires_at: null } as const;

function expiry() {
  return sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;
}

function facts(row: JobRow): { cancelRequested: boolean; failures: number } {
  return { cancelRequested: row.cancel_requested, failures: row.failures };
}
