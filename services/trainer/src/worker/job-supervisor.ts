import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { type Address, AimassError, type Clock, type Environment } from "@aimass/core";
import type { DatasetLimits } from "@aimass/datasets";
import type { Logger } from "@aimass/telemetry";
import { toBinary } from "@bufbuild/protobuf";
import type { JobLeases, LeasedJob } from "../jobs/job-leases.ts";
import type { PostgresCheckpoints } from "../jobs/postgres-checkpoints.ts";
import type { TrainerMetrics } from "../metrics.ts";
import type { ScriptSettings } from "../scripts/script-settings.ts";
import { Bell } from "./bell.ts";
import { CheckpointTransfer, fetchCheckpoint } from "./checkpoint-transfer.ts";
import { asDiskFull } from "./disk-full.ts";
import { keepLease, type Stop } from "./lease-keeper.ts";
import { type LastWord, relayNews } from "./news-relay.ts";
import { persist } from "./persist.ts";
import type { ScratchFolder, ScratchFolders } from "./scratch-folders.ts";
import type { RunMessage } from "./worker-message.ts";
import { startWorker, type WorkerExit } from "./worker-process.ts";

export interface SupervisorOptions {
  readonly leases: JobLeases;
  readonly checkpoints: PostgresCheckpoints;
  readonly folders: ScratchFolders;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: TrainerMetrics;
  readonly env: Environment;
  readonly workerMemoryMb: number;
  /** CPUs a job may use. */
  readonly threads: number;
  /** How long an attempt may run, in seconds; a spec may ask for less. */
  readonly longestSeconds: number;
  /** What a dataset may ask of its reader. */
  readonly datasetLimits: DatasetLimits;
  /** How scripts run. */
  readonly scripts: ScriptSettings;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly registryAddresses: readonly Address[];
  /** What workers run. Default: worker-main.ts. */
  readonly workerFile?: string;
}

interface RunOptions {
  /** Devices that are the job's alone. */
  readonly gpus: readonly string[];
  /** This process ends. */
  readonly stopping: AbortSignal;
}

/** What an attempt's worker gets that is its own. */
interface Belongings extends Pick<RunOptions, "gpus"> {
  readonly folder: ScratchFolder;
  readonly checkpointFile: string | undefined;
}

/** How an attempt ended: by the worker's last word, for a reason of ours, by itself, or before there was a worker. */
interface AttemptEnd {
  readonly result?: LastWord | undefined;
  readonly stop?: Stop | undefined;
  readonly exit?: WorkerExit;
  readonly failure?: AimassError;
}

/** Runs leased jobs in worker processes: keeps the lease, stores what the worker tells, stops it when asked, and settles how the job ended. */
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
  async run(job: LeasedJob, options: RunOptions): Promise<void> {
    const { clock, metrics, log } = this.#options;
    const startedAt = clock.monotonic();
    const bell = new Bell();
    this.#running.set(job.id, bell);
    if (job.waitedMs !== undefined) metrics.waits.record(job.waitedMs / 1000);
    try {
      const end = await this.#attempt(job, { bell, ...options });
      const ours = await this.#settle(job, end, options.stopping);
      const outcome = outcomeOf(end);
      log.info("job settled", { job: job.id, attempt: job.attempt, outcome, ours });
      metrics.attempts.add(1, { recipe: kindOf(job.spec), outcome });
      metrics.seconds.record((clock.monotonic() - startedAt) / 1000, { recipe: kindOf(job.spec) });
    } finally {
      this.#running.delete(job.id);
    }
  }

  /** Holds the lease from before the first preparation until everything that was told is stored. */
  async #attempt(job: LeasedJob, { bell, gpus, stopping }: RunOptions & { bell: Bell }): Promise<AttemptEnd> {
    const { leases, folders, clock, log } = this.#options;
    const ended = new AbortController();
    const stopNow = new AbortController();
    const limit = this.#limitSeconds(job);
    const deadline = clock.monotonic() + limit * 1000;
    const keeping = keepLease({ leases, job, clock, log, bell, deadline, stopping, ended: ended.signal }).then(
      (stop) => {
        if (stop !== undefined) stopNow.abort();
        return stop;
      },
    );
    let end: AttemptEnd;
    try {
      await using folder = await folders.make(job);
      end = await this.#work(job, { folder, gpus, stopNow: stopNow.signal, stopping });
    } catch (error) {
      log.warn("job could not be run", { job: job.id, error });
      end = { failure: AimassError.from(asDiskFull(error)) };
    }
    ended.abort();
    return { ...end, stop: await keeping };
  }

  async #work(
    job: LeasedJob,
    { folder, gpus, stopNow, stopping }: RunOptions & { folder: ScratchFolder; stopNow: AbortSignal },
  ): Promise<AttemptEnd> {
    const { leases, checkpoints, env, clock, workerMemoryMb, workerFile, log } = this.#options;
    const checkpointFile = await fetchCheckpoint(checkpoints, job.id, folder.checkpoints);
    if (stopNow.aborted) return {};
    const options = { memoryMb: workerMemoryMb, env: { ...env, TMPDIR: folder.work }, clock, workerFile };
    const worker = startWorker(this.#runMessage(job, { folder, gpus, checkpointFile }), options);
    log.info("worker started", { job: job.id, attempt: job.attempt, pid: worker.pid });
    stopNow.addEventListener("abort", () => void worker.kill(), { once: true });
    if (stopNow.aborted) void worker.kill();
    const onError = (error: unknown) => log.warn("checkpoint not stored", { job: job.id, error });
    const transfer = new CheckpointTransfer({ checkpoints, job, clock, onError });
    const { messages } = worker;
    const relaying = relayNews({ leases, job, messages, transfer, clock, log, stopping });
    // Whatever goes wrong here, no worker is left behind.
    relaying.catch(() => worker.kill());
    const exit = await worker.exited;
    const result = await relaying;
    await transfer.settled();
    return { result, exit };
  }

  #limitSeconds({ spec }: LeasedJob): number {
    const { longestSeconds } = this.#options;
    return spec.timeLimitSeconds > 0 ? Math.min(spec.timeLimitSeconds, longestSeconds) : longestSeconds;
  }

  #runMessage(job: LeasedJob, { folder, gpus, checkpointFile }: Belongings): RunMessage {
    const { identityFile, trustFile, registryAddresses, threads, datasetLimits, scripts } = this.#options;
    const { id: jobId, createdBy, traceparent, points } = job;
    return {
      kind: "run",
      jobId,
      spec: toBinary(JobSpecSchema, job.spec),
      createdBy,
      traceparent,
      identityFile,
      trustFile,
      registryAddresses,
      directory: folder.work,
      threads,
      gpus,
      datasetLimits,
      scripts,
      points,
      checkpointDirectory: folder.checkpoints,
      checkpointFile,
    };
  }

  async #settle(job: LeasedJob, end: AttemptEnd, stopping: AbortSignal): Promise<boolean> {
    try {
      return await persist(() => this.#writeEnd(job, end), { clock: this.#options.clock, stopping });
    } catch (error) {
      this.#options.log.error("job end not stored", { job: job.id, error });
      return false;
    }
  }

  #writeEnd(job: LeasedJob, { result, stop, exit, failure }: AttemptEnd): Promise<boolean> {
    const { leases } = this.#options;
    if (result?.kind === "succeeded") return leases.succeeded(job, result);
    if (result?.kind === "failed" && !result.passing) return leases.failed(job, result.reason, result.metrics);
    if (stop === "stopping") return leases.release(job);
    if (stop === "lost") return Promise.resolve(false);
    if (stop === "late") return leases.failed(job, lateReason(this.#limitSeconds(job)));
    if (result?.kind === "failed") return leases.broke(job, result.reason);
    if (failure?.code === "RESOURCE_EXHAUSTED") return leases.failed(job, failure.advice);
    if (failure !== undefined) return leases.broke(job, `The job could not be prepared: ${failure.advice}`);
    return leases.broke(job, `The worker died (${exit?.signal ?? `exit code ${exit?.code}`}).`);
  }
}

function lateReason(limitSeconds: number): string {
  return `The job ran longer than its limit of ${limitSeconds} s. Give it less to do, or a larger time_limit_seconds.`;
}

/** Of a bounded set, for metrics. */
function kindOf({ recipe, script }: JobSpec): string {
  return script === undefined ? recipe : "script";
}

function outcomeOf({ result, stop, failure }: AttemptEnd): string {
  if (result?.kind === "failed" && result.passing) return "broken";
  return result?.kind ?? stop ?? (failure === undefined ? "died" : "unprepared");
}
