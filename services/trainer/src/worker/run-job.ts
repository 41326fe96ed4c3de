import { type DatasetVersion, type Version, VersionState } from "@aimass/api/registry";
import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { fromBinary } from "@bufbuild/protobuf";
import { isPassing, type NewVersion, type RegistryLibrary } from "../library/registry-library.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import type { Reporter } from "../recipes/recipe.ts";
import { type TrainedModel, train } from "../recipes/train.ts";
import { readGate } from "../table/gate.ts";
import { describeSplit, planSplit, type Split } from "../table/split.ts";
import type { RunMessage, WorkerMessage } from "./worker-message.ts";

export interface RunJobOptions {
  readonly run: RunMessage;
  readonly library: RegistryLibrary;
  readonly report: Reporter;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Runs one job to its end and says how it ended; never throws. */
export async function runJob(options: RunJobOptions): Promise<WorkerMessage> {
  let metrics: Readonly<Record<string, number>> = {};
  const onEvaluated = (evaluated: Readonly<Record<string, number>>) => {
    metrics = evaluated;
  };
  try {
    const version = await trainAndRegister(options, onEvaluated);
    return outcome(version, metrics);
  } catch (error) {
    const failure = AimassError.from(error);
    const internal = failure.code === "INTERNAL";
    if (internal)
      options.log.error("job failed inside the worker", { job: options.run.jobId, error: failure.cause ?? failure });
    const passing = isPassing(failure) || internal;
    return { kind: "failed", reason: failure.advice, passing, metrics };
  }
}

async function trainAndRegister(
  { run, library, report, signal }: RunJobOptions,
  onEvaluated: (metrics: Readonly<Record<string, number>>) => void,
): Promise<Version> {
  const spec = fromBinary(JobSpecSchema, run.spec);
  const dataset = await library.dataset(spec.project, spec.dataset, spec.datasetVersion);
  const split = planSplit(Number(dataset.rows), spec.testShare, spec.seed);
  const open = (reading: AbortSignal) => library.read(dataset.sha256, reading);
  const trained = await train({
    recipe: getRecipe(spec.recipe),
    source: { open, features: spec.features, target: spec.target, split },
    ranges: spec.features.map((name) => columnRange(dataset, name)),
    parameters: spec.parameters,
    gate: spec.gate && readGate(spec.gate.metric, spec.gate.bound),
    report,
    onEvaluated,
    signal,
  });
  report.log(`Registering ${trained.onnx.length} bytes as a version of ${spec.project}.${spec.model}.`);
  return library.createVersion(newVersion(run, { spec, dataset, split, trained }), signal);
}

function newVersion(
  run: RunMessage,
  made: { spec: JobSpec; dataset: DatasetVersion; split: Split; trained: TrainedModel },
): NewVersion {
  const { spec, dataset, split, trained } = made;
  return {
    project: spec.project,
    model: spec.model,
    onnx: trained.onnx,
    description: describe(spec),
    labels: { recipe: spec.recipe, target: spec.target },
    metrics: trained.metrics,
    lineage: {
      jobId: run.jobId,
      recipe: spec.recipe,
      dataset: spec.dataset,
      datasetVersion: spec.datasetVersion,
      datasetSha256: dataset.sha256,
      split: describeSplit(split),
      parametersJson: JSON.stringify(spec.parameters),
      featureBaselineJson: trained.baselineJson,
    },
    idempotencyKey: run.jobId,
  };
}

/** Longest list of features in a description; the whole order is in the file's metadata. */
const mostNames = 60;
const longestDescription = 2000;

function describe({ features, target, recipe, dataset, datasetVersion }: JobSpec): string {
  const names = features.slice(0, mostNames).join(", ");
  const rest = features.length > mostNames ? ` and ${features.length - mostNames} more` : "";
  const text = `Predicts ${target} by the recipe ${recipe}, trained on ${dataset} version ${datasetVersion}. Input x, in this order: ${names}${rest}.`;
  return text.slice(0, longestDescription);
}

function columnRange(dataset: DatasetVersion, name: string) {
  const column = dataset.columns.find((c) => c.name === name);
  if (column !== undefined) return { name, minimum: column.minimum, maximum: column.maximum };
  throw new AimassError("FAILED_PRECONDITION", `The dataset has no column "${name}".`, { field: "spec.features" });
}

function outcome(version: Version, metrics: Readonly<Record<string, number>>): WorkerMessage {
  const name = `Version ${version.version} of ${version.project}.${version.model}`;
  if (version.state === VersionState.REFUSED) {
    const reason = `The registry refused the model: ${version.stateReason}`;
    return { kind: "failed", reason, passing: false, metrics };
  }
  const reason = version.state === VersionState.READY ? `${name} is ready.` : `${name} waits for a review.`;
  return { kind: "succeeded", metrics, modelVersion: version.version, reason };
}
