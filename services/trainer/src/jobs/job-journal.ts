import { JobSchema } from "@aimass/api/trainer";
import type { EventBus } from "@aimass/events";
import type { Store } from "@aimass/store";
import { toBinary } from "@bufbuild/protobuf";
import { sql, type UpdateObject } from "kysely";
import type { Database, JobRow, Transaction } from "../database.ts";
import { jobMessage } from "./job-message.ts";
import type { StateName } from "./job-state.ts";

/** Told of every event of a job; the payload is its id. */
export const jobChannel = "trainer_job";
/** Told of jobs that can be taken; no payload. */
export const queueChannel = "trainer_queue";
/** Told of jobs that should stop; the payload is the id. */
export const cancelChannel = "trainer_cancel";

/** Changes of a job; a change of `state` is told on the event bus too. */
export type JobChange = Omit<UpdateObject<Database, "job">, "sequence" | "id" | "state"> & {
  readonly state?: StateName;
};

/** Writes what happens to jobs: the row, its numbered event, the notification, and the event bus, in one transaction. */
export class JobJournal {
  readonly #store: Store<Database>;
  readonly #bus: EventBus;

  constructor(store: Store<Database>, bus: EventBus) {
    this.#store = store;
    this.#bus = bus;
  }

  /** Changes a job that the transaction holds and tells of it. */
  async change(tx: Transaction, id: string, change: JobChange): Promise<JobRow> {
    const row = await tx
      .updateTable("job")
      .set({ ...change, sequence: sql`sequence + 1` })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await this.#append(tx, row);
    if (change.state !== undefined) await this.told(tx, row, change.state);
    return row;
  }

  /** Tells of a job's state: to whoever waits for work, and on the event bus. */
  async told(tx: Transaction, row: JobRow, state: StateName): Promise<void> {
    if (state === "QUEUED") await this.#store.notify(tx, queueChannel);
    const { model = "" } = jobMessage(row).spec ?? {};
    await this.#bus.publishFrom(tx, {
      actor: row.created_by,
      resource: `${row.project}.${model}`,
      traceparent: row.traceparent,
      payload: {
        case: "jobChanged",
        value: { jobId: row.id, project: row.project, state, model, modelVersion: BigInt(row.model_version) },
      },
    });
  }

  /** Adds a line to a job's log. */
  async log(tx: Transaction, id: string, line: string): Promise<void> {
    const { sequence } = await tx
      .updateTable("job")
      .set({ sequence: sql`sequence + 1` })
      .where("id", "=", id)
      .returning("sequence")
      .executeTakeFirstOrThrow();
    await tx.insertInto("job_event").values({ job_id: id, sequence, job: null, log_line: line }).execute();
    await this.#store.notify(tx, jobChannel, id);
  }

  async #append(tx: Transaction, row: JobRow): Promise<void> {
    const job = Buffer.from(toBinary(JobSchema, jobMessage(row)));
    await tx.insertInto("job_event").values({ job_id: row.id, sequence: row.sequence, job, log_line: null }).execute();
    await this.#store.notify(tx, jobChannel, row.id);
  }
}
