import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, Fitted, ParameterSpec, Task } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { resolveParameters } from "../../parameters.ts";
import type { Targets } from "../../targets.ts";
import { checkRows, classTargets, numericTargets, toDense } from "../training-rows.ts";
import { NeighbourModel } from "./neighbour-model.ts";

/** Cells the served graph may carry, in double precision: 128 MiB. */
const mostCells = 2 ** 24;

const parameters: readonly ParameterSpec[] = [
  {
    kind: "integer",
    name: "neighbours",
    default: 5,
    minimum: 1,
    maximum: 10_000,
    meaning: "How many of the nearest training rows answer for a row; all of them where there are fewer.",
    search: { scale: "log", from: 1, to: 100 },
  },
  {
    kind: "choice",
    name: "votes",
    default: "equal",
    choices: ["equal", "distance"],
    meaning: "Whether all neighbours count the same, or by the inverse of their distance.",
    search: true,
  },
];

/** Steps of distances: of features that serving computes bit for bit, and of those whose last bits it may compute otherwise. */
const [fineStep, coarseStep] = [1e-9, 1e-5];

/** The class most of the nearest training rows have. Exact, by Euclidean distance; features should have like spreads. */
export const nearestNeighboursClassifier: Estimator = neighbourEstimator("classification");

/** The mean of the nearest training rows. */
export const nearestNeighboursRegressor: Estimator = neighbourEstimator("regression");

function neighbourEstimator(task: Task): Estimator {
  const estimator: Estimator = {
    name: task === "classification" ? "nearest-neighbours-classifier" : "nearest-neighbours-regressor",
    task,
    description: "Answers with what the most similar training rows have. Nothing to fit; every row is kept and served.",
    parameters,
    sparse: false,
    missing: false,
    fit: (x, y, options) => fit(estimator, x, y, options),
    fromJson: (json) => NeighbourModel.fromJson(json),
  };
  return estimator;
}

async function fit(estimator: Estimator, x: Matrix, y: Targets, options: FitOptions): Promise<Fitted> {
  checkRows(estimator, x, options);
  const p = resolveParameters<{ neighbours: number; votes: "equal" | "distance" }>(parameters, options.parameters);
  if (x.rows * x.cols > mostCells) {
    throw new AimassError("RESOURCE_EXHAUSTED", `Nearest neighbours would carry ${x.rows} rows of ${x.cols} columns.`, {
      reason: "TOO_LARGE",
      remedy: `Use at most ${mostCells} cells (rows × columns), or another estimator.`,
    });
  }
  const labels = estimator.task === "classification" ? classTargets(y, x.rows, options.weights).labels : undefined;
  const rows = toDense(x);
  const votes = votesOf(estimator.task === "regression" ? numericTargets(y, x.rows) : y, options.weights);
  options.onProgress?.(1, 1, 0);
  return new NeighbourModel({
    labels,
    rows: Float32Array.from(rows.data),
    cols: x.cols,
    votes,
    neighbours: Math.min(p.neighbours, x.rows),
    byDistance: p.votes === "distance",
    stepShare: options.tolerances === undefined ? fineStep : coarseStep,
  });
}

/** Per row what it votes for, times its weight, and the weight itself last: [rows × (classes + 1)] or [rows × 2]. */
function votesOf(y: Targets, weights: Float64Array | undefined): Float64Array {
  const width = y.kind === "classes" ? y.labels.values.length + 1 : 2;
  const rows = y.kind === "classes" ? y.indices.length : y.values.length;
  const votes = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const weight = weights?.[r] ?? 1;
    if (y.kind === "classes") votes[r * width + y.indices[r]!] = weight;
    else votes[r * width] = weight * y.values[r]!;
    votes[r * width + width - 1] = weight;
  }
  return votes;
}
