import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database } from "../database.ts";
import type { LeasedJob } from "./job-leases.ts";

/** Bytes of one row: large enough to be quick, small enough to keep nobody waiting. */
export const partBytes = 1024 * 1024;

/** What jobs need to go on elsewhere, in parts. Only the last whole checkpoint of a job is kept, and none of one that ended. */
export class PostgresCheckpoints {
  readonly #store: Store<Database>;

  constructor(store: Store<Database>) {
    this.#store = store;
  }

  /** Replaces a job's checkpoint once every part is stored. False when the job is no longer ours: the earlier one stays then. */
  async keep(job: LeasedJob, bytes: number, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { db } = this.#store;
    const { id } = await db
      .insertInto("job_checkpoint")
      .values({ job_id: job.id, attempt: job.attempt, bytes })
      .returning("id")
      .executeTakeFirstOrThrow();
    let number = 0;
    for await (const part of parts) {
      await db
        .insertInto("job_checkpoint_part")
        .values({ checkpoint_id: id, number: number++, part: Buffer.from(part.buffer, part.byteOffset, part.length) })
        .execute();
    }
    // The job is not locked before: renewing its lease must not wait for the parts.
    const isKept = await this.#complete(job, id);
    if (!isKept) await db.deleteFrom("job_checkpoint").where("id", "=", id).execute();
    return isKept;
  }

  /** The parts of a job's checkpoint, in order; undefined when there is none. */
  async find(jobId: string): Promise<{ bytes: number; parts: AsyncIterable<Uint8Array> } | undefined> {
    const { db } = this.#store;
    const row = await db
      .selectFrom("job_checkpoint")
      .select(["id", "bytes"])
      .where("job_id", "=", jobId)
      .where("complete", "=", true)
      .orderBy("id", "desc")
      .executeTakeFirst();
    return row && { bytes: Number(row.bytes), parts: this.#read(row.id) };
  }

  /** Deletes what holders that are gone left half stored, and checkpoints of jobs that ended meanwhile. */
  async sweep(): Promise<void> {
    await sql`
      delete from job_checkpoint using job where job.id = job_checkpoint.job_id and (job.ended_at is not null
        or (not job_checkpoint.complete and (job.attempt > job_checkpoint.attempt or job.state = 'QUEUED')))
    `.execute(this.#store.db);
  }

  async *#read(id: string): AsyncIterable<Uint8Array> {
    for (let number = 0; ; number++) {
      const row = await this.#store.db
        .selectFrom("job_checkpoint_part")
        .select("part")
        .where("checkpoint_id", "=", id)
        .where("number", "=", number)
        .executeTakeFirst();
      if (row === undefined) return;
      yield row.part;
    }
  }

  #complete(job: LeasedJob, id: string): Promise<boolean> {
    return this.#store.withTransaction(async (tx) => {
      const held = await tx
        .selectFrom("job")
        .select("id")
        .where("id", "=", job.id)
        .where("lease_holder", "=", job.holder)
        .where("attempt", "=", job.attempt)
        .where("state", "in", ["LEASED", "RUNNING"])
        .forUpdate()
        .executeTakeFirst();
      if (held === undefined) return false;
      await tx.updateTable("job_checkpoint").set({ complete: true }).where("id", "=", id).execute();
      await tx.deleteFrom("job_checkpoint").where("job_id", "=", job.id).where("id", "<", id).execute();
      return true;
    });
  }
}
