import type { Estimator, FitOptions, Fitted, ParameterSpec, RowStream, Task } from "../../estimator.ts";
import { Pacer } from "../../pacer.ts";
import type { Json } from "../../packed-array.ts";
import { resolveParameters } from "../../parameters.ts";
import { Checkpoints } from "../checkpoints.ts";
import { classWeightsSpec } from "../common-parameters.ts";
import { rowsInMemory } from "../row-passes.ts";
import { toDense } from "../training-rows.ts";
import { missingBin } from "./binned-matrix.ts";
import { boostingLoss } from "./boosting-loss.ts";
import { type BoostingParameters, BoostingRun } from "./boosting-run.ts";
import { TreeEnsemble } from "./tree-ensemble.ts";
import { readTreeRows } from "./tree-rows.ts";

/** Cells below which a second thread costs more than it does. */
const cellsForThreads = 200_000;

const shared: readonly ParameterSpec[] = [
  {
    kind: "integer",
    name: "iterations",
    default: 100,
    minimum: 1,
    maximum: 10_000,
    meaning: "Trees (for each class, where there are more than two) at most.",
    search: { scale: "log", from: 50, to: 500 },
  },
  {
    kind: "number",
    name: "learningRate",
    default: 0.1,
    minimum: 1e-4,
    maximum: 1,
    meaning: "Share of each tree's correction that is taken.",
    search: { scale: "log", from: 0.02, to: 0.3 },
  },
  {
    kind: "integer",
    name: "maxLeaves",
    default: 31,
    minimum: 2,
    maximum: 4096,
    meaning: "Leaves of a tree at most.",
    search: { scale: "log", from: 8, to: 128 },
  },
  {
    kind: "integer",
    name: "maxDepth",
    default: 64,
    minimum: 1,
    maximum: 64,
    meaning: "Splits from the root to a leaf at most.",
  },
  {
    kind: "integer",
    name: "minRowsPerLeaf",
    default: 20,
    minimum: 1,
    maximum: 1e6,
    meaning: "Rows a leaf has at least.",
    search: { scale: "log", from: 5, to: 200 },
  },
  {
    kind: "number",
    name: "l2",
    default: 0,
    minimum: 0,
    maximum: 1e9,
    meaning: "Strength of the penalty on half the squared values of leaves.",
    search: { scale: "log", from: 1e-3, to: 100 },
  },
  {
    kind: "integer",
    name: "patience",
    default: 10,
    minimum: 0,
    maximum: 10_000,
    meaning:
      "From 10 000 rows on, a tenth of them is held back, and the fit ends when they have not been predicted better for as many iterations; 0: never.",
  },
];

/**
 * Sums of small trees, each fitted to what is left of the loss, over features in 255 bins (Friedman 2001; Ke et al. 2017, "LightGBM"). `fitStream` reads the
 * rows twice and keeps a byte a cell and, while it reads them for the first time, a sample of 100 000 rows.
 */
export const gradientBoostingRegressor: Estimator = boostingEstimator("regression", shared);
export const gradientBoostingClassifier: Estimator = boostingEstimator("classification", [...shared, classWeightsSpec]);

function boostingEstimator(task: Task, parameters: readonly ParameterSpec[]): Estimator {
  const estimator: Estimator = {
    name: task === "classification" ? "gradient-boosting-classifier" : "gradient-boosting-regressor",
    task,
    description: "Gradient boosting with histograms. Most often the most accurate on tables; missing values are fine.",
    parameters,
    sparse: false,
    missing: true,
    fit: (x, y, options) => learn(estimator, rowsInMemory(toDense(x), y), options),
    fitStream: (rows, options) => learn(estimator, rows, options),
    fromJson: (json) => TreeEnsemble.fromJson(json),
  };
  return estimator;
}

async function learn(estimator: Estimator, rows: RowStream, options: FitOptions): Promise<Fitted> {
  const p = resolveParameters<BoostingParameters>(estimator.parameters, options.parameters);
  const pacer = new Pacer(options.signal);
  const threads = rows.rows * rows.cols >= cellsForThreads ? (options.threads ?? 1) : 1;
  const read = await readTreeRows(estimator, rows, options, {
    pacer,
    classWeights: p.classWeights,
    missing: missingBin,
    allocate: (cells) => new Uint8Array(threads > 1 ? new SharedArrayBuffer(cells) : new ArrayBuffer(cells)),
  });
  const { binned, targets } = read;
  const loss = boostingLoss(targets, read.weights);
  using run = new BoostingRun(binned, { loss, p, pacer, random: options.random, threads });
  run.resume(options.resume);
  const checkpoints = new Checkpoints(options);
  while (!run.done) {
    const loss = await run.step();
    options.onProgress?.(run.iteration, p.iterations, loss);
    checkpoints.offer((): Json => run.toJson());
    if (pacer.due) await pacer.breathe();
  }
  if (run.diverged) {
    options.onWarning?.(
      `The loss is above that of guessing, and an l2 of ${run.l2} did not help. Try a smaller learningRate, more minRowsPerLeaf, or another recipe.`,
    );
  } else if (run.l2 !== p.l2) {
    options.onWarning?.(
      `With an l2 of ${p.l2} the loss rose above that of guessing, as it does with many or rare classes; it was learnt with ${run.l2}.`,
    );
  }
  return new TreeEnsemble({
    cols: rows.cols,
    trees: run.bestTrees(),
    outputs: loss.outputs,
    base: run.base,
    link: targets.kind === "numbers" ? "value" : loss.outputs === 1 ? "log-odds" : "softmax",
    labels: targets.kind === "classes" ? targets.labels : undefined,
  });
}
