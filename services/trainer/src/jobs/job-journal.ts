import { JobSchema, MetricPointSchema } from "@aimass/api/trainer";
import type { EventBus } from "@aimass/events";
import type { Store } from "@aimass/store";
import { create, toBinary } from "@bufbuild/protobuf";
import { sql, type UpdateObject } from "kysely";
import type { Database, JobRow, Transaction } from "../database.ts";
import type { JobNews } from "../worker/worker-message.ts";
import { jobMessage } from "./job-message.ts";
import { hasEnded, type StateName } from "./job-state.ts";

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

  /** Changes a job that the transaction holds and tells of it. Progress alone is told until something later is. */
  async change(tx: Transaction, id: string, change: JobChange): Promise<JobRow> {
    const row = await tx
      .updateTable("job")
      .set({ ...change, sequence: sql`sequence + 1` })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await this.#append(tx, row, change.state === undefined);
    if (change.state === undefined) return row;
    if (hasEnded(change.state)) await tx.deleteFrom("job_checkpoint").where("job_id", "=", id).execute();
    await this.#tell(tx, row, change.state);
    return row;
  }

  /** Adds lines and points to what happened to a job that the transaction holds. */
  async add(tx: Transaction, id: string, news: readonly JobNews[]): Promise<void> {
    if (news.length === 0) return;
    const points = news.filter(({ kind }) => kind === "metric").length;
    const { sequence } = await tx
      .updateTable("job")
      .set({ sequence: sql`sequence + ${news.length}`, points: sql`points + ${points}` })
      .where("id", "=", id)
      .returning("sequence")
      .executeTakeFirstOrThrow();
    const first = BigInt(sequence) - BigInt(news.length) + 1n;
    const rows = news.map((one, i) => ({ job_id: id, sequence: first + BigInt(i), job: null, ...content(one) }));
    await tx.insertInto("job_event").values(rows).execute();
    await this.#store.notify(tx, jobChannel, id);
  }

  /** Removes a job that the transaction holds, with all that was written of it, and tells so. */
  async remove(tx: Transaction, row: JobRow, by: { actor: string; traceparent: string }): Promise<void> {
    await tx.deleteFrom("job").where("id", "=", row.id).execute();
    const { id: jobId, project } = row;
    const { model = "" } = jobMessage(row).spec ?? {};
    const value = { jobId, project, state: "DELETED", model, modelVersion: BigInt(row.model_version) };
    const payload = { case: "jobChanged", value } as const;
    await this.#bus.publishFrom(tx, { ...by, resource: `${project}.${model}`, audited: true, payload });
  }

  async #append(tx: Transaction, row: JobRow, passing: boolean): Promise<void> {
    await tx.deleteFrom("job_event").where("job_id", "=", row.id).where("passing", "=", true).execute();
    const job = Buffer.from(toBinary(JobSchema, jobMessage(row)));
    const { id: job_id, sequence } = row;
    await tx.insertInto("job_event").values({ job_id, sequence, job, log_line: null, metric: null, passing }).execute();
    await this.#store.notify(tx, jobChannel, row.id);
  }

  /** Tells of a job's state: to whoever waits for work, and on the event bus. Users' code that is to run goes into the audit ledger. */
  async #tell(tx: Transaction, row: JobRow, state: StateName): Promise<void> {
    // An end makes room for a job that waited because of its project's bound.
    if (state === "QUEUED" || hasEnded(state)) await this.#store.notify(tx, queueChannel);
    const { model = "", script } = jobMessage(row).spec ?? {};
    await this.#bus.publishFrom(tx, {
      actor: row.created_by,
      resource: `${row.project}.${model}`,
      traceparent: row.traceparent,
      audited: script !== undefined && state === "QUEUED" && row.attempt === 0,
      payload: {
        case: "jobChanged",
        value: { jobId: row.id, project: row.project, state, model, modelVersion: BigInt(row.model_version) },
      },
    });
  }
}

function content(news: JobNews): { log_line: string | null; metric: Buffer | null } {
  if (news.kind === "log") return { log_line: news.line, metric: null };
  const { name, step, value } = news;
  const point = create(MetricPointSchema, { name, step: BigInt(step), value });
  return { log_line: null, metric: Buffer.from(toBinary(MetricPointSchema, point)) };
}
