import { type Job, type JobSpecSchema, JobState, TrainingService } from "@aimass/api/trainer";
import { AimassError, Backoff, systemClock } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Connection } from "../client/connection.ts";
import { enumName } from "../output/format.ts";
import type { Output } from "../output/output.ts";

/** How often in a row a stream that tells nothing new is taken up again. */
const mostBreaks = 20;
/** What is written already comes at once; a longer silence is the end of it. */
const quietMs = 700;

/** Queues a job and follows it to its end. Errors: FAILED_PRECONDITION with the job's own reason when it fails. */
export async function trainModel(o: {
  connection: Connection;
  output: Output;
  spec: MessageInitShape<typeof JobSpecSchema>;
  wait?: boolean;
}): Promise<Job> {
  const client = o.connection.client(TrainingService);
  const { job } = await client.createJob({ spec: o.spec, idempotencyKey: crypto.randomUUID() });
  if (o.wait === false) return job as Job;
  using _ = onInterrupt(() => sayGoesOn(o.output, job as Job));
  const bar = o.output.progress("training");
  const last = await followJob(o.connection, job as Job, {
    onJob: (now) => bar(hasEnded(now.state) ? 1 : now.progress, progressNote(now)),
    onLogLine: (line) => o.output.say(`  ${line}`),
  });
  if (last.state === JobState.SUCCEEDED) return last;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `Job ${last.id} ${enumName(JobState, last.state).toLowerCase()}: ${last.stateReason}`,
  );
}

/** A job does not end with who watches it. */
function sayGoesOn(output: Output, { id }: Job): void {
  output.settle();
  output.say(`Job ${id} goes on.`);
  output.hint(`Next: aimass jobs logs ${id} --follow · aimass jobs cancel ${id}`);
}

/** Calls back when a person presses Ctrl-C, and then ends as an interrupted process does: with 130. */
function onInterrupt(callback: () => void): Disposable {
  const interrupted = () => {
    callback();
    process.exit(130);
  };
  process.once("SIGINT", interrupted);
  return { [Symbol.dispose]: () => void process.off("SIGINT", interrupted) };
}

/** Watches a job until it has ended, over broken connections. Returns it as it ended. Errors: those of the trainer; UNAVAILABLE when it stays away. */
export async function followJob(
  connection: Connection,
  job: Job,
  on: { onJob?: (job: Job) => void; onLogLine?: (line: string) => void },
): Promise<Job> {
  const client = connection.client(TrainingService);
  const backoff = new Backoff();
  let last = job;
  let sequence = 0n;
  for (let breaks = 0; ; breaks += 1) {
    try {
      for await (const update of client.watchJob({ id: last.id, afterSequence: sequence }, { timeoutMs: 0 })) {
        sequence = update.sequence;
        breaks = 0;
        backoff.reset();
        if (update.event.case === "logLine") on.onLogLine?.(update.event.value);
        if (update.event.case !== "job") continue;
        last = update.event.value;
        on.onJob?.(last);
      }
      if (!hasEnded(last.state)) last = (await client.getJob({ id: last.id })).job as Job;
      if (hasEnded(last.state)) return last;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable || breaks >= mostBreaks) throw error;
    }
    await systemClock.sleep(backoff.next());
  }
}

/** The log of a job as far as it is written; of one that runs, until nothing has come for a moment. */
export async function readLog(connection: Connection, job: Job, onLine: (line: string) => void): Promise<void> {
  if (hasEnded(job.state)) {
    await followJob(connection, job, { onLogLine: onLine });
    return;
  }
  const quiet = new AbortController();
  const timer = setTimeout(() => quiet.abort(), quietMs);
  const options = { timeoutMs: 0, signal: quiet.signal };
  try {
    for await (const { event } of connection.client(TrainingService).watchJob({ id: job.id }, options)) {
      timer.refresh();
      if (event.case === "logLine") onLine(event.value);
    }
  } catch (error) {
    if (!quiet.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

export function hasEnded(state: JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

/** "running · step 120 of 500 · loss 0.312 · 12 s left". */
export function progressNote(job: Job): string {
  const left = job.remaining === undefined ? undefined : durationMs(job.remaining);
  return [
    enumName(JobState, job.state).toLowerCase(),
    ...(job.step > 0n ? [`step ${job.step}${job.steps > 0n ? ` of ${job.steps}` : ""}`] : []),
    ...(job.loss === undefined ? [] : [`loss ${Number(job.loss.toPrecision(4))}`]),
    ...(left === undefined || hasEnded(job.state) ? [] : [`${timeLeft(left / 1000)} left`]),
  ].join(" · ");
}

function timeLeft(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
