import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { JobBatch } from "../jobs/job-batch.ts";
import type { JobLeases, LeasedJob } from "../jobs/job-leases.ts";
import { isPassing } from "../library/registry-library.ts";
import { Bell } from "./bell.ts";
import type { CheckpointTransfer } from "./checkpoint-transfer.ts";
import { NewsDesk, plain } from "./news-desk.ts";
import { persist } from "./persist.ts";
import type { WorkerMessage } from "./worker-message.ts";

/** What a worker says of the end of its job. */
export type LastWord = Extract<WorkerMessage, { kind: "succeeded" | "failed" }>;

export interface NewsRelayOptions {
  readonly leases: JobLeases;
  readonly job: LeasedJob;
  readonly messages: AsyncIterable<WorkerMessage>;
  readonly transfer: CheckpointTransfer;
  readonly clock: Clock;
  readonly log: Logger;
  /** This process ends. */
  readonly stopping: AbortSignal;
}

/** What a worker tells is stored at most this often, together. */
const batchEveryMs = 200;
const lookAgainMs = 2000;

/** Stores what a worker tells until it ended; gives back its last word once everything before it is stored. */
export async function relayNews(options: NewsRelayOptions): Promise<LastWord | undefined> {
  const { messages, transfer, clock } = options;
  const desk = new NewsDesk(clock);
  const bell = new Bell();
  const over = new AbortController();
  const storing = storeNews(options, { desk, bell, over: over.signal });
  let last: LastWord | undefined;
  try {
    for await (const message of messages) {
      if (message.kind === "succeeded" || message.kind === "failed")
        last = { ...message, reason: plain(message.reason) };
      else if (message.kind === "checkpoint") transfer.add(message);
      else {
        desk.add(message);
        bell.ring();
      }
    }
  } finally {
    over.abort();
    await storing;
  }
  return last;
}

async function storeNews(
  options: NewsRelayOptions,
  { desk, bell, over }: { desk: NewsDesk; bell: Bell; over: AbortSignal },
): Promise<void> {
  const { clock } = options;
  while (true) {
    const seen = bell.rings;
    const batch = desk.next();
    if (batch === undefined && over.aborted) return;
    if (batch === undefined) await bell.waitPast(seen, clock, lookAgainMs, over);
    else if (await storeBatch(options, batch)) await clock.sleep(batchEveryMs, over).catch(() => {});
    else return;
  }
}

/** Whether to go on: a batch that can never be stored is left out, a job that is not ours any more is left alone. */
async function storeBatch({ leases, job, clock, log, stopping }: NewsRelayOptions, batch: JobBatch): Promise<boolean> {
  try {
    return await persist(() => leases.tell(job, batch), { clock, stopping });
  } catch (error) {
    log.error("what a job told is not stored", { job: job.id, error });
    return !isPassing(error);
  }
}
