import { JobSpecSchema } from "@aimass/api/trainer";
import { type Address, Backoff, type Clock, type Environment } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { toBinary } from "@bufbuild/protobuf";
import { type JobLeases, type LeasedJob, leaseMs, renewMs } from "../jobs/job-leases.ts";
import type { TrainerMetrics } from "../metrics.ts";
import { Bell } from "./bell.ts";
import type { WorkerMessage } from "./worker-message.ts";
import { startWorker, type WorkerExit, type WorkerProcess } from "./worker-process.ts";

export interface SupervisorOptions {
  readonly leases: JobLeases;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: TrainerMetrics;
  readonly env: Environment;
  readonly workerMemoryMb: number;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly registryAddresses: readonly Address[];
}

/** Why a worker was killed. */
type Stop = "cancelled" | "lost" | "stopping";

/** Share of a lease after which a holder that cannot renew gives up, before anybody else can take over. */
const safeShare = 0.9;

/** Runs leased jobs in worker processes: keeps the lease, passes on what the worker tells, stops it when asked, and settles how the job ended. */
export class JobSupervisor {
  readonly #options: SupervisorOptions;
  readonly #running = new Map<string, Bell>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** How many jobs run here. */
  get running(): number {
    return this.#running.size;
  }

  /** Looks at once whether a job should stop. An empty id looks at all. */
  look(id: string): void {
    if (id === "") for (const bell of this.#running.values()) bell.ring();
    else this.#running.get(id)?.ring();
  }

  /** Runs a job; resolves when its end is settled or somebody else's business. */
  async run(job: LeasedJob, stopping: AbortSignal): Promise<void> {
    const { log, env, clock, workerMemoryMb, metrics } = this.#options;
    const startedAt = clock.monotonic();
    const worker = startWorker(this.#runMessage(job), { memoryMb: workerMemoryMb, env, clock });
    log.info("worker started", { job: job.id, attempt: job.attempt, pid: worker.pid });
    const bell = new Bell();
    this.#running.set(job.id, bell);
    const ended = new AbortController();
    const watching = this.#watch(job, { worker, bell, stopping, ended: ended.signal });
    const result = await this.#relay(job, worker.messages);
    const exit = await worker.exited;
    ended.abort();
    const stop = await watching;
    await this.#settle(job, { result, exit, stop });
    this.#running.delete(job.id);
    metrics.attempts.add(1, { recipe: job.spec.recipe, outcome: result?.kind ?? stop ?? "died" });
    metrics.seconds.record((clock.monotonic() - startedAt) / 1000, { recipe: job.spec.recipe });
  }

  #runMessage(job: LeasedJob) {
    const { identityFile, trustFile, registryAddresses } = this.#options;
    const spec = toBinary(JobSpecSchema, job.spec);
    const { id: jobId, createdBy, traceparent } = job;
    return { kind: "run", jobId, spec, createdBy, traceparent, identityFile, trustFile, registryAddresses } as const;
  }

  /** Stores what the worker tells; gives back its last word. */
  async #relay(job: LeasedJob, messages: AsyncIterable<WorkerMessage>): Promise<Ended | undefined> {
    const { leases, log } = this.#options;
    let result: Ended | undefined;
    for await (const message of messages) {
      if (message.kind === "succeeded" || message.kind === "failed") result = message;
      else {
        // A line lost while the database is away is worth less than the training.
        await store(leases, job, message).catch((error: unknown) =>
          log.warn("job event not stored", { job: job.id, error }),
        );
      }
    }
    return result;
  }

  /** Renews the lease until the worker ended; kills the worker when the job should stop or is no longer ours. */
  async #watch(
    job: LeasedJob,
    { worker, bell, stopping, ended }: { worker: WorkerProcess; bell: Bell; stopping: AbortSignal; ended: AbortSignal },
  ): Promise<Stop | undefined> {
    const { clock } = this.#options;
    let renewedAt = clock.monotonic();
    let seen = bell.rings;
    while (!ended.aborted) {
      await bell.waitPast(seen, clock, renewMs, ended, stopping);
      if (ended.aborted) return undefined;
      seen = bell.rings;
      const asked = clock.monotonic();
      const state = stopping.aborted ? "stopping" : await this.#renew(job);
      if (state === "held") renewedAt = asked;
      if (state === "held" || (state === "unknown" && clock.monotonic() - renewedAt < leaseMs * safeShare)) continue;
      await worker.kill();
      return state === "unknown" ? "lost" : state;
    }
    return undefined;
  }

  async #renew(job: LeasedJob): Promise<"held" | "cancelled" | "lost" | "unknown"> {
    const { leases, log } = this.#options;
    try {
      return await leases.renew(job);
    } catch (error) {
      log.warn("lease not renewed", { job: job.id, error });
      return "unknown";
    }
  }

  async #settle(
    job: LeasedJob,
    end: { result: Ended | undefined; exit: WorkerExit; stop: Stop | undefined },
  ): Promise<void> {
    const { leases, log, clock } = this.#options;
    const { result, exit, stop } = end;
    const write = (): Promise<boolean> => {
      if (result?.kind === "succeeded") return leases.succeeded(job, result);
      if (result?.kind === "failed" && !result.passing) return leases.failed(job, result.reason, result.metrics);
      if (result?.kind === "failed") return leases.broke(job, result.reason);
      if (stop === "stopping") return leases.release(job);
      if (stop === "lost") return Promise.resolve(false);
      return leases.broke(job, `The worker died (${exit.signal ?? `exit code ${exit.code}`}).`);
    };
    // A result must not be lost to a database that restarts; after the lease's time the job is somebody else's.
    const backoff = new Backoff();
    const until = clock.monotonic() + leaseMs;
    while (true) {
      try {
        const ours = await write();
        log.info("job settled", { job: job.id, attempt: job.attempt, outcome: result?.kind ?? stop ?? "died", ours });
        return;
      } catch (error) {
        if (clock.monotonic() > until) return log.error("job end not stored", { job: job.id, error });
        await clock.sleep(backoff.next());
      }
    }
  }
}

type Ended = Extract<WorkerMessage, { kind: "succeeded" | "failed" }>;
type Passing = Exclude<WorkerMessage, Ended>;

function store(leases: JobLeases, job: LeasedJob, message: Passing): Promise<boolean> {
  switch (message.kind) {
    case "started":
      return leases.started(job);
    case "progress":
      return leases.progressed(job, message.fraction, message.doing);
    case "log":
      return leases.log(job, message.line);
  }
}
