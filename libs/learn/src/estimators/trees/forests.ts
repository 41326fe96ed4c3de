import type { Estimator, FitOptions, Fitted, ParameterSpec, Task } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { resolveParameters } from "../../parameters.ts";
import type { Targets } from "../../targets.ts";
import { classWeightsSpec } from "../common-parameters.ts";
import { checkRows, classTargets, numericTargets, rowWeights, toDense } from "../training-rows.ts";
import { growForest } from "./forest-run.ts";
import { TreeEnsemble } from "./tree-ensemble.ts";

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

/** One tree (Breiman et al. 1984): easy to read, seldom the most accurate. Thresholds are chosen among 254 for each feature. */
export const decisionTreeClassifier = treeEstimator("classification", false);
export const decisionTreeRegressor = treeEstimator("regression", false);

/** The mean of trees over rows drawn with replacement that look at random features (Breiman 2001). */
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
    fit: (x, y, options) => fit(estimator, isForest, { x, y, options }),
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

async function fit(
  estimator: Estimator,
  isForest: boolean,
  { x, y, options }: { x: Matrix; y: Targets; options: FitOptions },
): Promise<Fitted> {
  checkRows(estimator, x, options);
  const p = resolveParameters<ForestParameters>(estimator.parameters, options.parameters);
  const isClasses = estimator.task === "classification";
  const targets = isClasses ? classTargets(y, x.rows, options.weights) : numericTargets(y, x.rows);
  const weights = targets.kind === "classes" ? rowWeights(options.weights, targets, p.classWeights) : options.weights;
  const { maxDepth, minRowsPerLeaf } = p;
  const featuresPerSplit = isForest ? featureCount(p.features, x.cols) : x.cols;
  return growForest(toDense(x), targets, options, {
    limits: { maxDepth, minRowsPerLeaf, featuresPerSplit },
    trees: isForest ? p.trees : 1,
    bootstrap: isForest,
    weights,
  });
}

function featureCount(features: "sqrt" | "third" | "all", cols: number): number {
  if (features === "all") return cols;
  return Math.max(1, Math.floor(features === "sqrt" ? Math.sqrt(cols) : cols / 3));
}
