import { type Job, type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { UuidV7Maker } from "@aimass/events";
import { isUniqueViolation, type Store } from "@aimass/store";
import { toBinary } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { Database, JobRow, Transaction } from "../database.ts";
import { cancelChannel, type JobJournal } from "./job-journal.ts";
import { jobMessage } from "./job-message.ts";
import { hasEnded } from "./job-state.ts";
import type { PostgresQuotas } from "./postgres-quotas.ts";

/** A job to be. */
export interface NewJob {
  /** Resolved: project, dataset version, features and parameters are all filled in. */
  readonly spec: JobSpec;
  readonly createdBy: string;
  /** "": none. */
  readonly idempotencyKey: string;
  readonly traceparent: string;
  /** The rule that began it; "": none. */
  readonly retraining: string;
}

/** Jobs as callers ask for them. Taking and running them is `JobLeases`. */
export class PostgresJobs {
  readonly #store: Store<Database>;
  readonly #journal: JobJournal;
  readonly #quotas: PostgresQuotas;
  readonly #ids: UuidV7Maker;

  constructor({ store, journal, quotas }: { store: Store<Database>; journal: JobJournal; quotas: PostgresQuotas }) {
    this.#store = store;
    this.#journal = journal;
    this.#quotas = quotas;
    this.#ids = new UuidV7Maker(() => store.clock.now());
  }

  /** The job an idempotency key of this caller stands for. */
  async findByKey(createdBy: string, key: string): Promise<Job | undefined> {
    if (key === "") return undefined;
    const row = await this.#store.db
      .selectFrom("job")
      .selectAll()
      .where("created_by", "=", createdBy)
      .where("idempotency_key", "=", key)
      .executeTakeFirst();
    return row && jobMessage(row);
  }

  /** Queues a job. A repeat with the same key returns the first one. Errors: RESOURCE_EXHAUSTED when the project's queue is full. */
  async create(job: NewJob): Promise<Job> {
    try {
      return jobMessage(await this.#insert(job));
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      const found = await this.findByKey(job.createdBy, job.idempotencyKey);
      if (found === undefined) throw error;
      return found;
    }
  }

  async find(id: string): Promise<Job | undefined> {
    const row = await this.#store.db.selectFrom("job").selectAll().where("id", "=", id).executeTakeFirst();
    return row && jobMessage(row);
  }

  /** Jobs of these projects, newest first, older than the job `before`. */
  async list(projects: readonly string[], page: { size: number; before: string }): Promise<Job[]> {
    if (projects.length === 0) return [];
    let query = this.#store.db
      .selectFrom("job")
      .selectAll()
      .where("project", "in", [...projects]);
    if (page.before !== "") query = query.where("id", "<", page.before);
    const rows = await query.orderBy("id", "desc").limit(page.size).execute();
    return rows.map(jobMessage);
  }

  /** Names of the projects that have jobs. */
  async projects(): Promise<string[]> {
    const rows = await this.#store.db.selectFrom("job").select("project").distinct().execute();
    return rows.map((row) => row.project);
  }

  /** Ends a queued job at once, asks a running one to stop, leaves an ended one as it is. Undefined when there is none. */
  cancel(id: string): Promise<Job | undefined> {
    return this.#store.withTransaction(async (tx) => {
      const row = await tx.selectFrom("job").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
      if (row === undefined) return undefined;
      if (hasEnded(row.state) || row.cancel_requested) return jobMessage(row);
      const change =
        row.state === "QUEUED"
          ? ({
              state: "CANCELLED",
              state_reason: "Cancelled before it began.",
              ended_at: new Date(this.#store.clock.now()),
            } as const)
          : { state_reason: "Stopping." };
      await this.#store.notify(tx, cancelChannel, id);
      return jobMessage(await this.#journal.change(tx, id, { ...change, cancel_requested: true }));
    });
  }

  /** Removes a job that has ended, with all that is known of it, or only says what it is. Undefined when there is none. Errors: FAILED_PRECONDITION. */
  delete(id: string, by: { actor: string; traceparent: string }, validateOnly: boolean): Promise<Job | undefined> {
    return this.#store.withTransaction(async (tx) => {
      const row = await tx.selectFrom("job").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
      if (row === undefined) return undefined;
      if (!hasEnded(row.state))
        throw new AimassError("FAILED_PRECONDITION", `The job "${id}" has not ended: it is ${row.state}.`, {
          reason: "JOB_NOT_ENDED",
          remedy: `Wait for it, or stop it: aimass jobs cancel ${id}`,
        });
      if (!validateOnly) await this.#journal.remove(tx, row, by);
      return jobMessage(row);
    });
  }

  #insert(job: NewJob): Promise<JobRow> {
    const { spec, createdBy, idempotencyKey, traceparent, retraining } = job;
    return this.#store.withTransaction(async (tx) => {
      await this.#assertRoom(tx, spec.project);
      const row = await tx
        .insertInto("job")
        .values({
          id: this.#ids.next(),
          project: spec.project,
          spec: Buffer.from(toBinary(JobSpecSchema, spec)),
          state: "QUEUED",
          state_reason: "Waiting for a worker.",
          priority: spec.priority,
          gpus: spec.script?.limits?.gpus ?? 0,
          created_by: createdBy,
          idempotency_key: idempotencyKey === "" ? null : idempotencyKey,
          traceparent,
          retraining,
        })
        .returning("id")
        .executeTakeFirstOrThrow();
      return this.#journal.change(tx, row.id, { state: "QUEUED" });
    });
  }

  /** Those who queue jobs of one project do so one after the other, so that the bound holds. */
  async #assertRoom(tx: Transaction, project: string): Promise<void> {
    const { maxQueued } = await this.#quotas.find(project, tx);
    if (maxQueued === 0) return;
    await sql`select pg_advisory_xact_lock(hashtextextended(${`aimass.trainer.queue.${project}`}, 0))`.execute(tx);
    const { queued } = await tx
      .selectFrom("job")
      .select(sql<number>`count(*)::int`.as("queued"))
      .where("project", "=", project)
      .where("state", "=", "QUEUED")
      .executeTakeFirstOrThrow();
    if (queued < maxQueued) return;
    throw new AimassError("RESOURCE_EXHAUSTED", `${queued} jobs of the project "${project}" wait already.`, {
      reason: "QUEUE_FULL",
      remedy: `At most ${maxQueued} may: wait for some to end, cancel some, or ask someone with project.manage for a larger quota.`,
    });
  }
}
