import { AimassError } from "@aimass/core";
import type { ColumnData, DataFile } from "@aimass/datasets";
import {
  type ClassLabels,
  decodeImages,
  type Estimator,
  FeatureFit,
  type Features,
  type Fitted,
  Random,
  type Targets,
  type Task,
} from "@aimass/learn";
import { type Gate, passGate } from "../../table/gate.ts";
import type { EstimatorRecipe, Reporter } from "../recipe.ts";
import type { GivenParameters } from "../recipe-parameters.ts";
import { ClassNames, classIndices } from "./class-names.ts";
import { planFeatures } from "./feature-plan.ts";
import { measure } from "./measure.ts";
import { checkServed } from "./served-check.ts";
import { servedGraph } from "./served-graph.ts";
import { TableParts } from "./table-parts.ts";
import { TrainingMatrix } from "./training-matrix.ts";

/** Everything a training depends on. */
export interface EstimatorTraining {
  readonly recipe: EstimatorRecipe;
  readonly task: Task;
  readonly file: DataFile;
  readonly features: readonly string[];
  readonly target: string;
  readonly testShare: number;
  readonly seed: bigint;
  readonly given: GivenParameters;
  readonly gate: Gate | undefined;
  readonly report: Reporter;
  /** Told before the gate speaks. */
  readonly onEvaluated?: (metrics: Readonly<Record<string, number>>) => void;
  readonly signal: AbortSignal;
}

/** What a training leaves. */
export interface TrainedEstimator {
  readonly onnx: Uint8Array;
  readonly metrics: Readonly<Record<string, number>>;
  readonly baselineJson: string;
  /** The split as lineage keeps it. */
  readonly split: string;
  /** Names of the inputs. */
  readonly inputs: readonly string[];
  /** Of a classification: the classes, in the order of the output `probabilities`. */
  readonly classes: readonly string[];
}

/** Shares of a job's progress at which steps begin. */
const progressAt = { features: 0.05, matrix: 0.15, fit: 0.25, evaluate: 0.75, export: 0.9 } as const;

/**
 * split → features → matrix → fit → evaluate → gate → export → check. Features are learnt from the training part alone; memory is that of its matrix. The
 * graph is run by ONNX Runtime over held-out rows before it counts. Errors: those of the data, the estimator and the gate.
 */
export async function trainEstimator(training: EstimatorTraining): Promise<TrainedEstimator> {
  const { recipe, task, target, report, signal, gate, seed } = training;
  const estimator = recipe.estimators[task];
  if (estimator === undefined) throw new AimassError("INTERNAL", `${recipe.name} does no ${task}.`);
  const parts = await TableParts.open({ ...training, stratified: task === "classification" });
  report.log(`${parts.trainRows} rows for training, ${parts.testRows} held out (seed ${seed}).`);
  checkTarget(parts.target.type, task, target);
  const { features, labels } = await learnFeatures(parts, estimator, training);
  const { x, y } = await readMatrix(parts, { features, labels, target, report });
  report.log(`${features.cols} features (${x.kind}) of ${features.columns.length} columns.`);
  const fitted = await fit(estimator, x, y, training);
  report.progress(progressAt.evaluate, "evaluating");
  const { metrics, sample, own } = await measure(parts, { features, fitted, labels, target });
  report.log(`held-out: ${shown(metrics)}`);
  training.onEvaluated?.(metrics);
  passGate(gate, metrics);
  report.progress(progressAt.export, "exporting");
  const classes = labels?.values.map(String) ?? [];
  const onnx = servedGraph(features, fitted, {
    recipe: recipe.name,
    ...(labels !== undefined && { classes: JSON.stringify(classes) }),
  });
  signal.throwIfAborted();
  await checkServed(onnx, features, sample, own);
  return {
    onnx,
    metrics,
    baselineJson: baselineOf(features, parts.trainRows),
    split: JSON.stringify(parts.split.description),
    inputs: features.columns.map(({ name }) => name),
    classes,
  };
}

function checkTarget(type: ColumnData["type"], task: Task, target: string): void {
  if (task === "classification" || type === "number") return;
  throw new AimassError("FAILED_PRECONDITION", `The target "${target}" holds ${type} values, not numbers.`, {
    field: "spec.target",
    remedy: 'Train a classification (task "classification"), or name a column of numbers.',
  });
}

/** One pass over the training part. */
async function learnFeatures(
  parts: TableParts,
  estimator: Estimator,
  { recipe, task, target, report }: EstimatorTraining,
): Promise<{ features: Features; labels: ClassLabels | undefined }> {
  const plan = planFeatures(parts.profiles, estimator, recipe);
  for (const note of plan.notes ?? []) report.log(note);
  if (plan.features.length === 0) {
    throw new AimassError("FAILED_PRECONDITION", "No column is left to learn from.", {
      reason: "NO_FEATURES",
      field: "spec.features",
      remedy: (plan.notes ?? []).join(" ") || "Name other columns.",
    });
  }
  const names = task === "classification" ? new ClassNames(target) : undefined;
  const fitting = new FeatureFit(plan);
  for await (const batch of parts.batches("train")) {
    names?.add(batch.columns.get(target) as ColumnData);
    fitting.add(await decodeImages(batch));
    const share = fitting.rows / parts.trainRows;
    report.progress(progressAt.features + share * (progressAt.matrix - progressAt.features), "learning features");
  }
  const labels = names?.finish();
  return { features: fitting.finish(), labels };
}

async function readMatrix(
  parts: TableParts,
  o: { features: Features; labels: ClassLabels | undefined; target: string; report: Reporter },
) {
  const matrix = new TrainingMatrix(parts.trainRows, o.features.cols, o.features.layout);
  const numbers = new Float64Array(o.labels === undefined ? parts.trainRows : 0);
  const indices = new Int32Array(o.labels === undefined ? 0 : parts.trainRows);
  let row = 0;
  for await (const batch of parts.batches("train")) {
    const column = batch.columns.get(o.target) as ColumnData;
    if (o.labels !== undefined) indices.set(classIndices(column, o.labels), row);
    else numbers.set(column.values as Float64Array, row);
    matrix.add(o.features.transform(await decodeImages(batch)));
    row += batch.rows;
    const share = row / parts.trainRows;
    o.report.progress(progressAt.matrix + share * (progressAt.fit - progressAt.matrix), "making features");
  }
  const y: Targets =
    o.labels === undefined ? { kind: "numbers", values: numbers } : { kind: "classes", indices, labels: o.labels };
  return { x: matrix.finish(), y };
}

function fit(
  estimator: Estimator,
  x: Parameters<Estimator["fit"]>[0],
  y: Targets,
  { given, seed, report, signal }: EstimatorTraining,
): Promise<Fitted> {
  report.progress(progressAt.fit, "fitting");
  let logged = 0;
  return estimator.fit(x, y, {
    parameters: { ...given.parameters, ...given.choices },
    random: new Random(Number(BigInt.asUintN(53, seed))),
    signal,
    onProgress: (step, steps, loss) => {
      const share = step / Math.max(1, steps);
      report.progress(
        progressAt.fit + share * (progressAt.evaluate - progressAt.fit),
        `fitting, loss ${rounded(loss)}`,
      );
      // About twenty lines, however many steps there are.
      if (step < logged + steps / 20) return;
      logged = step;
      report.log(`step ${step} of at most ${steps}: loss ${rounded(loss)}`);
    },
  });
}

function baselineOf(features: Features, rows: number): string {
  const columns = features.baseline.map(({ column, ...facts }) => [column, facts] as const);
  return JSON.stringify({ rows, features: Object.fromEntries(columns) });
}

function shown(metrics: Readonly<Record<string, number>>): string {
  const heldOut = Object.entries(metrics).filter(([name]) => !name.startsWith("train_"));
  return heldOut.map(([name, value]) => `${name} ${rounded(value)}`).join(", ");
}

function rounded(value: number): string {
  return Number(value.toPrecision(6)).toString();
}
