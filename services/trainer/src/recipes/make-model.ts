import type { Batch } from "@aimass/learn";
import { momentsOf } from "../data/column-meanings.ts";
import type { TrainingData } from "../data/training-data.ts";
import { firstRows } from "../evaluation/batches.ts";
import { type Measurement, measurePipeline, prefixed, type ReportInit } from "../evaluation/evaluate.ts";
import { importancesOf } from "../evaluation/importance.ts";
import { PredictionBaseline } from "../evaluation/prediction-baseline.ts";
import { JobCheckpoints } from "../worker/job-checkpoints.ts";
import type { JobWork, MadeModel } from "../worker/job-work.ts";
import { type Candidate, type FitRequest, type FittedPipeline, fitCandidate } from "./candidate.ts";
import { phase } from "./phase.ts";
import { checkServed, type ServedSample } from "./served-check.ts";
import { outputNames, servedGraph } from "./served-graph.ts";

/** What is known before the model is made: of folds, of a search. */
export interface KnownBefore {
  readonly metrics?: Readonly<Record<string, number>>;
  readonly report?: ReportInit;
  readonly howJson?: string;
}

/** Training rows that are predicted to tell over-fitting; the other parts are predicted whole. */
const mostTrainingRows = 10_000;
const sampleRows = 256;
/** The matrix may take this share of a worker's memory: fits make copies of it, in double precision. */
const matrixShare = 0.25;

/** Shares of the progress at which steps begin. */
const progressAt = { evaluate: 0.7, importance: 0.85, export: 0.97 } as const;

/**
 * Trains a candidate on the whole training part, measures it, writes the graph and runs it over held-out rows before it counts. Errors: those of the data,
 * the estimator, and FAILED_PRECONDITION (SKEW).
 */
export async function makeModel(
  work: JobWork,
  data: TrainingData,
  candidate: Candidate,
  known: KnownBefore = {},
): Promise<MadeModel> {
  const { report, signal } = work;
  const request = {
    ...fitRequest(work, data),
    rows: { part: "train" },
    report: phase(report, 0, progressAt.evaluate),
  } as const;
  const pipeline = await fitCandidate(data, candidate, {
    ...request,
    checkpoint: new JobCheckpoints(work).slot("fit"),
  });
  const evaluated = await evaluate(work, data, pipeline, known);
  report.progress(progressAt.export, "exporting");
  const onnx = graphOf(candidate, pipeline, data.facts.read.schema.missing ?? []);
  signal.throwIfAborted();
  const inputs = pipeline.features.columns.map(({ name }) => name);
  const names = outputNames(inputs);
  await checkServed(onnx, evaluated.sample, names);
  return {
    files: new Map([["model.onnx", onnx]]),
    metrics: evaluated.metrics,
    report: evaluated.report,
    split: JSON.stringify(data.facts.description),
    baselineJson: baselineOf(pipeline, data.rows.train, evaluated.predictions),
    inputs: `Inputs: ${listed(inputs)}.`,
    classes: classesOf(pipeline),
    scores: names.probabilities,
    ...(candidate.plan !== undefined && { featurePlanJson: JSON.stringify(candidate.plan) }),
    ...(known.howJson !== undefined && { howJson: known.howJson }),
  };
}

/** What every fit of a job has in common. */
export function fitRequest(work: JobWork, data: TrainingData): Omit<FitRequest, "rows" | "checkpoint"> {
  const { spec, report, signal, threads, memoryBytes, directory } = work;
  return {
    task: data.task,
    seed: spec.seed,
    report,
    signal,
    threads,
    memoryBytes: memoryBytes * matrixShare,
    directory,
  };
}

async function evaluate(work: JobWork, data: TrainingData, pipeline: FittedPipeline, known: KnownBefore) {
  const { report, signal, spec } = work;
  const own = phase(report, progressAt.evaluate, progressAt.importance);
  own.progress(0, "evaluating");
  const predictions = new PredictionBaseline(data.labels);
  const strangers = new Map<string, number>();
  let first: Batch | undefined;
  const heldOut = await measurePipeline(
    data,
    pipeline,
    { part: "test" },
    {
      signal,
      onBatch: (batch, answer) => {
        first ??= firstRows(batch, sampleRows);
        predictions.add(answer);
        for (const [column, rows] of pipeline.features.strangers(batch)) {
          strangers.set(column, (strangers.get(column) ?? 0) + rows);
        }
      },
      onRows: (rows) => own.progress(rows / data.rows.test, "evaluating"),
    },
  );
  report.log(`held-out: ${shown(heldOut.metrics)}`);
  const warnings = strangerWarnings(strangers, heldOut.rows);
  for (const warning of warnings) report.warn(warning);
  const metrics = { ...known.metrics, ...heldOut.metrics, ...(await otherParts(data, pipeline, signal)) };
  const base = { ...known.report, ...reportOf(data, heldOut, metrics), warnings: [...data.warnings, ...warnings] };
  report.evaluated(base);
  const importances = await importancesOf(
    data,
    { predict: (batch) => predict(pipeline, batch) },
    {
      repeats: spec.importanceRepeats,
      seed: spec.seed,
      columns: pipeline.features.columns.map(({ name }) => name),
      report: phase(report, progressAt.importance, progressAt.export),
      signal,
    },
  );
  const whole = { ...base, importances };
  report.evaluated(whole);
  const batch = first as Batch;
  const sample: ServedSample = { batch, own: predict(pipeline, batch), moments: momentsOf(data.profiles) };
  return { metrics, report: whole, sample, predictions };
}

/** A split by time or groups may hold out what training has nothing of. */
function strangerWarnings(strangers: ReadonlyMap<string, number>, rows: number): string[] {
  return [...strangers].flatMap(([column, count]) => {
    if (2 * count <= rows) return [];
    return [
      `In ${count} of ${rows} held-out rows the "${column}" is none that training could learn: what is learnt from it says nothing of them.`,
    ];
  });
}

async function otherParts(data: TrainingData, pipeline: FittedPipeline, signal: AbortSignal) {
  const training = await measurePipeline(data, pipeline, { part: "train" }, { most: mostTrainingRows, signal });
  const train = prefixed("train_", training.metrics);
  if (data.rows.validation === 0) return train;
  const validation = await measurePipeline(data, pipeline, { part: "validation" }, { signal });
  return { ...train, ...prefixed("validation_", validation.metrics) };
}

/** The report of some measured data. */
export function reportOf(
  data: TrainingData,
  { detail }: Measurement,
  metrics: Readonly<Record<string, number>>,
): ReportInit {
  return {
    task: data.task,
    trainRows: BigInt(data.rows.train),
    validationRows: BigInt(data.rows.validation),
    testRows: BigInt(data.rows.test),
    metrics: { ...metrics },
    detail,
    leakage: data.leakage,
    warnings: [...data.warnings],
  };
}

function predict({ features, fitted }: FittedPipeline, batch: Batch) {
  return fitted.predict(features.transform(batch));
}

function graphOf({ recipe }: Candidate, pipeline: FittedPipeline, missing: readonly string[]): Uint8Array {
  const classes = classesOf(pipeline);
  const metadata = { recipe: recipe.name, ...(classes.length > 0 && { classes: JSON.stringify(classes) }) };
  return servedGraph(pipeline.features, pipeline.fitted, { metadata, missing });
}

function classesOf({ labels }: FittedPipeline): readonly string[] {
  return labels?.values.map(String) ?? [];
}

function baselineOf({ features }: FittedPipeline, rows: number, predictions: PredictionBaseline): string {
  const columns = features.baseline.map(({ column, ...facts }) => [column, facts] as const);
  return JSON.stringify({ rows, features: Object.fromEntries(columns), predictions: predictions.toJson() });
}

/** Longest list of inputs in a description. */
const mostNames = 60;

export function listed(names: readonly string[]): string {
  const rest = names.length > mostNames ? ` and ${names.length - mostNames} more` : "";
  return `${names.slice(0, mostNames).join(", ")}${rest}`;
}

function shown(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(6))}`)
    .join(", ");
}
