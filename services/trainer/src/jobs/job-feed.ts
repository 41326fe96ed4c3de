import { JobSchema, MetricPointSchema, type WatchJobResponse, WatchJobResponseSchema } from "@aimass/api/trainer";
import { linkedSignal } from "@aimass/core";
import type { Store } from "@aimass/store";
import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import type { Database } from "../database.ts";
import { jobChannel } from "./job-journal.ts";

const pageSize = 500;
/** How long a watcher trusts that a notification would have come. */
const lookAgainMs = 2000;

/** Streams what happens to jobs, whichever trainer process it happens in: by notification, and by looking again now and then. */
export class JobFeed implements Disposable {
  readonly #store: Store<Database>;
  readonly #waiting = new Map<string, Set<() => void>>();
  #subscription: Disposable | undefined;

  private constructor(store: Store<Database>) {
    this.#store = store;
  }

  static async open(store: Store<Database>): Promise<JobFeed> {
    const feed = new JobFeed(store);
    feed.#subscription = await store.listen(jobChannel, (id) => feed.#wake(id));
    return feed;
  }

  /** The events of a job after a sequence number, until the job has ended. */
  async *watch(id: string, afterSequence: bigint, signal: AbortSignal): AsyncIterable<WatchJobResponse> {
    let after = afterSequence;
    while (!signal.aborted) {
      // Armed before reading, so that nothing falls between the two.
      using bell = this.#bell(id, signal);
      const events = await this.#read(id, after);
      for (const event of events) {
        yield event;
        after = event.sequence;
      }
      if (events.length < pageSize) {
        if (await this.#isOver(id, after)) return;
        await bell.rung;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#subscription?.[Symbol.dispose]();
  }

  async #read(id: string, after: bigint): Promise<WatchJobResponse[]> {
    const rows = await this.#store.db
      .selectFrom("job_event")
      .selectAll()
      .where("job_id", "=", id)
      .where("sequence", ">", String(after))
      .orderBy("sequence")
      .limit(pageSize)
      .execute();
    return rows.map(response);
  }

  async #isOver(id: string, after: bigint): Promise<boolean> {
    const row = await this.#store.db
      .selectFrom("job")
      .select(["ended_at", "sequence"])
      .where("id", "=", id)
      .executeTakeFirst();
    return row === undefined || (row.ended_at !== null && BigInt(row.sequence) <= after);
  }

  #bell(id: string, signal: AbortSignal): Disposable & { rung: Promise<void> } {
    const scope = linkedSignal(signal);
    const ring = () => scope.abort();
    const bells = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, bells.add(ring));
    const rung = this.#store.clock.sleep(lookAgainMs, scope.signal).catch(() => {});
    return {
      rung,
      [Symbol.dispose]: () => {
        bells.delete(ring);
        if (bells.size === 0) this.#waiting.delete(id);
        scope.abort();
        scope[Symbol.dispose]();
      },
    };
  }

  /** An empty payload means that notifications may have been missed. */
  #wake(id: string): void {
    const all = id === "" ? [...this.#waiting.values()] : [this.#waiting.get(id) ?? []];
    for (const bells of all) for (const ring of bells) ring();
  }
}

function response(row: Selectable<Database["job_event"]>): WatchJobResponse {
  return create(WatchJobResponseSchema, {
    sequence: BigInt(row.sequence),
    at: timestampFromDate(row.at),
    event: eventOf(row),
  });
}

function eventOf({ job, metric, log_line }: Selectable<Database["job_event"]>): WatchJobResponse["event"] {
  if (job !== null) return { case: "job", value: fromBinary(JobSchema, job) };
  if (metric !== null) return { case: "metric", value: fromBinary(MetricPointSchema, metric) };
  return { case: "logLine", value: log_line ?? "" };
}
