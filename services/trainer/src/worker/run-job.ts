import { VersionState } from "@aimass/api/registry";
import { JobSpecSchema } from "@aimass/api/trainer";
import { AimassError, type Clock, systemClock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { fromBinary } from "@bufbuild/protobuf";
import { columnMeanings } from "../data/column-meanings.ts";
import { TrainingData } from "../data/training-data.ts";
import { isPassing, type RegistryLibrary } from "../library/registry-library.ts";
import { phase } from "../recipes/phase.ts";
import type { Reporter } from "../recipes/recipe.ts";
import { asDiskFull } from "./disk-full.ts";
import { judgeGates, measureLatency } from "./gate-keeper.ts";
import type { JobWork } from "./job-work.ts";
import { type Published, publish } from "./publish.ts";
import { wayOf } from "./ways.ts";
import { workerMemoryBytes } from "./worker-memory.ts";
import type { RunMessage, WorkerMessage } from "./worker-message.ts";

export interface RunJobOptions {
  readonly run: RunMessage;
  readonly library: RegistryLibrary;
  readonly report: Reporter;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly signal: AbortSignal;
}

type Metrics = Readonly<Record<string, number>>;

/** Shares of a job's progress at which steps begin. */
const progressAt = { train: 0.1, gates: 0.9, register: 0.95 } as const;

/** Runs one job to its end and says how it ended; never throws. */
export async function runJob(options: RunJobOptions): Promise<WorkerMessage> {
  let metrics: Metrics = {};
  // What was measured belongs to a job that failed afterwards too.
  const report: Reporter = {
    ...options.report,
    evaluated: (found) => {
      metrics = { ...found.metrics };
      options.report.evaluated(found);
    },
  };
  try {
    const work = await workOf({ ...options, report });
    const published = await trainAndPublish(work);
    return outcome(published, { ...metrics });
  } catch (error) {
    const failure = AimassError.from(asDiskFull(error));
    const internal = failure.code === "INTERNAL";
    if (internal)
      options.log.error("job failed inside the worker", { job: options.run.jobId, error: failure.cause ?? failure });
    const passing = isPassing(failure) || internal;
    return { kind: "failed", reason: failure.advice, passing, metrics };
  }
}

async function workOf({ run, library, report, signal, clock = systemClock }: RunJobOptions): Promise<JobWork> {
  const spec = fromBinary(JobSpecSchema, run.spec);
  const dataset = await library.dataset(spec.project, spec.dataset, spec.datasetVersion);
  const { jobId, directory, threads, gpus, checkpoint, datasetLimits, scripts } = run;
  const told = { jobId, directory, threads, gpus, checkpoint, datasetLimits, scripts };
  return { ...told, spec, dataset, library, report, memoryBytes: workerMemoryBytes(), clock, signal };
}

/** data → train → measure → gates → version → alias. */
async function trainAndPublish(work: JobWork): Promise<Published> {
  const { spec, report } = work;
  const way = wayOf(spec);
  await using data = await TrainingData.open({ ...work, report: phase(report, 0, progressAt.train) });
  const made = await way({ ...work, report: phase(report, progressAt.train, progressAt.gates) }, data);
  report.progress(progressAt.gates, "judging");
  const metrics = { ...made.metrics, latency_ms: await measureLatency(work, data, made) };
  report.evaluated({ ...made.report, metrics });
  const verdict = await judgeGates(work, data, made, metrics);
  report.progress(progressAt.register, "registering");
  const columns = columnMeanings(made.files, data.facts);
  return await publish(work, made, { verdict, metrics, columns });
}

function outcome({ version, reason, aliasMoved }: Published, metrics: Metrics): WorkerMessage {
  if (version.state === VersionState.REFUSED) {
    const refused = `Version ${version.version} was refused in its review: ${version.stateReason}`;
    return { kind: "failed", reason: refused, passing: false, metrics };
  }
  return { kind: "succeeded", metrics, modelVersion: version.version, reason, aliasMoved };
}
