import { type DatasetVersion, type Version, VersionState } from "@aimass/api/registry";
import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { fromBinary } from "@bufbuild/protobuf";
import { isPassing, type NewVersion, type RegistryLibrary } from "../library/registry-library.ts";
import { spool } from "../library/spooled-file.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import { trainEstimator } from "../recipes/estimators/train-estimator.ts";
import type { EstimatorRecipe, Reporter, StreamedRecipe } from "../recipes/recipe.ts";
import { train } from "../recipes/train.ts";
import { readGate } from "../table/gate.ts";
import { describeSplit, planSplit } from "../table/split.ts";
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

/** A model and what the registry is to know of it. */
interface Made {
  readonly onnx: Uint8Array;
  readonly metrics: Readonly<Record<string, number>>;
  readonly baselineJson: string;
  readonly split: string;
  /** A sentence about the inputs. */
  readonly inputs: string;
  /** Of the output `probabilities`. */
  readonly classes: readonly string[];
}

interface Work {
  readonly spec: JobSpec;
  readonly dataset: DatasetVersion;
  readonly library: RegistryLibrary;
  readonly report: Reporter;
  readonly onEvaluated: (metrics: Readonly<Record<string, number>>) => void;
  readonly signal: AbortSignal;
}

async function trainAndRegister(
  { run, library, report, signal }: RunJobOptions,
  onEvaluated: (metrics: Readonly<Record<string, number>>) => void,
): Promise<Version> {
  const spec = fromBinary(JobSpecSchema, run.spec);
  const dataset = await library.dataset(spec.project, spec.dataset, spec.datasetVersion);
  const recipe = getRecipe(spec.recipe);
  const work = { spec, dataset, library, report, onEvaluated, signal };
  const made = recipe.kind === "streamed" ? await makeStreamed(recipe, work) : await makeEstimator(recipe, work);
  report.log(`Registering ${made.onnx.length} bytes as a version of ${spec.project}.${spec.model}.`);
  return library.createVersion(newVersion(run, { spec, dataset, made }), signal);
}

async function makeStreamed(recipe: StreamedRecipe, work: Work): Promise<Made> {
  const { spec, dataset, library, report, onEvaluated, signal } = work;
  const split = planSplit(Number(dataset.rows), spec.testShare, spec.seed);
  const open = (reading: AbortSignal) => library.read(dataset.sha256, reading);
  const trained = await train({
    recipe,
    source: { open, features: spec.features, target: spec.target, split },
    ranges: spec.features.map((name) => columnRange(dataset, name)),
    parameters: spec.parameters,
    gate: spec.gate && readGate(spec.gate.metric, spec.gate.bound),
    report,
    onEvaluated,
    signal,
  });
  const inputs = `Input x, in this order: ${listed(spec.features)}.`;
  return { ...trained, split: describeSplit(split), inputs, classes: [] };
}

async function makeEstimator(recipe: EstimatorRecipe, work: Work): Promise<Made> {
  const { spec, dataset, library, report, onEvaluated, signal } = work;
  report.progress(0, "fetching the dataset");
  await using file = await spool(library.read(dataset.sha256, signal), signal);
  const { features, target, testShare, seed, task, gate } = spec;
  const trained = await trainEstimator({
    recipe,
    task: task === "classification" ? "classification" : "regression",
    file,
    features,
    target,
    testShare,
    seed,
    given: spec,
    gate: gate && readGate(gate.metric, gate.bound),
    report,
    onEvaluated,
    signal,
  });
  return { ...trained, inputs: `Inputs: ${listed(trained.inputs)}.` };
}

function newVersion(
  run: RunMessage,
  { spec, dataset, made }: { spec: JobSpec; dataset: DatasetVersion; made: Made },
): NewVersion {
  const { recipe, target, task, choices } = spec;
  return {
    project: spec.project,
    model: spec.model,
    onnx: made.onnx,
    classes: made.classes,
    description: describe(spec, made.inputs),
    labels: { recipe, target, ...(task !== "" && { task }) },
    metrics: made.metrics,
    lineage: {
      jobId: run.jobId,
      recipe,
      dataset: spec.dataset,
      datasetVersion: spec.datasetVersion,
      datasetSha256: dataset.sha256,
      split: made.split,
      parametersJson: JSON.stringify({ ...spec.parameters, ...choices }),
      featureBaselineJson: made.baselineJson,
    },
    idempotencyKey: run.jobId,
  };
}

/** Longest list of features in a description; the whole order is in the file's metadata. */
const mostNames = 60;
const longestDescription = 2000;

function describe({ target, recipe, dataset, datasetVersion }: JobSpec, inputs: string): string {
  const text = `Predicts ${target} by the recipe ${recipe}, trained on ${dataset} version ${datasetVersion}. ${inputs}`;
  return text.slice(0, longestDescription);
}

function listed(names: readonly string[]): string {
  const rest = names.length > mostNames ? ` and ${names.length - mostNames} more` : "";
  return `${names.slice(0, mostNames).join(", ")}${rest}`;
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
