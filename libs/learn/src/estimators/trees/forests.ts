import type { Estimator, FitOptions, Fitted, ParameterSpec, RowStream, Task } from "../../estimator.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import { classWeightsSpec } from "../common-parameters.ts";
import { rowsInMemory } from "../row-passes.ts";
import { toDense } from "../training-rows.ts";
import { missingWord } from "./binned-matrix.ts";
import { growForest } from "./forest-run.ts";
import { TreeEnsemble } from "./tree-ensemble.ts";
import { readTreeRows } from "./tree-rows.ts";

/** Cells, counted once a tree, below which threads cost more than they do. Above, even one of its own keeps the event loop free. */
const cellsForThreads = 2_000_000;

const depth: ParameterSpec = {
  kind: "integer",
  name: "maxDepth",
  default: 64,
  minimum: 1,
  maximum: 64,
  meaning: "Splits from the root to a leaf at most.",
  search: { scale: "log", from: 3, to: 32 },
};

const leafRows: ParameterSpec = {
  kind: "integer",
  name: "minRowsPerLeaf",
  default: 1,
  minimum: 1,
  maximum: 1e6,
  meaning: "Rows a leaf has at least.",
  search: { scale: "log", from: 1, to: 50 },
};

const treeCount: ParameterSpec = {
  kind: "integer",
  name: "trees",
  default: 100,
  minimum: 1,
  maximum: 10_000,
  meaning: "Trees in the forest.",
};

function featuresSpec(task: Task): ParameterSpec {
  return {
    kind: "choice",
    name: "features",
    default: task === "classification" ? "sqrt" : "all",
    choices: ["sqrt", "third", "all"],
    meaning: "Features looked at for a split: the square root of their number, a third of them, or all.",
    search: true,
  };
}

/**
 * One tree (Breiman et al. 1984): easy to read, seldom the most accurate. Thresholds are chosen among all borders between values, up to 65 534 for each
 * feature. `fitStream` reads the rows twice and keeps two bytes a cell and, while it reads them for the first time, a sample of 100 000 rows.
 */
export const decisionTreeClassifier = treeEstimator("classification", false);
export const decisionTreeRegressor = treeEstimator("regression", false);

/** The mean of trees, as a decision tree keeps rows, over rows drawn with replacement that look at random features (Breiman 2001). */
export const randomForestClassifier = treeEstimator("classification", true);
export const randomForestRegressor = treeEstimator("regression", true);

function treeEstimator(task: Task, isForest: boolean): Estimator {
  const suffix = task === "classification" ? "classifier" : "regressor";
  const own = isForest ? [treeCount, depth, leafRows, featuresSpec(task)] : [depth, leafRows];
  const estimator: Estimator = {
    name: `${isForest ? "random-forest" : "decision-tree"}-${suffix}`,
    task,
    description: isForest
      ? "Random forest. Good without tuning; missing values are fine; large to serve."
      : "A single decision tree. Easy to read; missing values are fine.",
    parameters: task === "classification" ? [...own, classWeightsSpec] : own,
    sparse: false,
    missing: true,
    fit: (x, y, options) => learn(estimator, isForest, rowsInMemory(toDense(x), y), options),
    fitStream: (rows, options) => learn(estimator, isForest, rows, options),
    fromJson: (json) => TreeEnsemble.fromJson(json),
  };
  return estimator;
}

type ForestParameters = {
  readonly trees: number;
  readonly maxDepth: number;
  readonly minRowsPerLeaf: number;
  readonly features: "sqrt" | "third" | "all";
  readonly classWeights: "none" | "balanced";
};

async function learn(estimator: Estimator, isForest: boolean, rows: RowStream, options: FitOptions): Promise<Fitted> {
  const p = resolveParameters<ForestParameters>(estimator.parameters, options.parameters);
  const { maxDepth, minRowsPerLeaf, classWeights } = p;
  const pacer = new Pacer(options.signal);
  const trees = isForest ? p.trees : 1;
  const threads = rows.rows * rows.cols * trees >= cellsForThreads ? Math.min(options.threads ?? 1, trees) : 0;
  const allocate = (cells: number) =>
    new Uint16Array(threads > 0 ? new SharedArrayBuffer(2 * cells) : new ArrayBuffer(2 * cells));
  const read = await readTreeRows(estimator, rows, options, { pacer, classWeights, missing: missingWord, allocate });
  const featuresPerSplit = isForest ? featureCount(p.features, rows.cols) : rows.cols;
  return growForest(read, options, {
    limits: { maxDepth, minRowsPerLeaf, featuresPerSplit },
    trees,
    bootstrap: isForest,
    threads,
    pacer,
  });
}

function featureCount(features: "sqrt" | "third" | "all", cols: number): number {
  if (features === "all") return cols;
  return Math.max(1, Math.floor(features === "sqrt" ? Math.sqrt(cols) : cols / 3));
}
