import type { Estimator, FitOptions, Fitted, NumberSpec, RowStream } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import type { NumericTargets, Targets } from "../../targets.ts";
import { numericRows, type RowPasses, rowsInMemory } from "../row-passes.ts";
import { checkRows, numericTargets } from "../training-rows.ts";
import { CentredRows } from "./centred-rows.ts";
import { columnMoments } from "./column-scales.ts";
import { type CoordinateProblem, descendOnGram, descendOnResiduals } from "./coordinate-descent.ts";
import { checkedGram } from "./gram.ts";
import { LinearRegressor } from "./linear-regressor.ts";
import { minimise } from "./minimise.ts";
import { dot } from "./products.ts";
import { squaredLoss } from "./score-loss.ts";
import { ScoreObjective } from "./score-objective.ts";
import { descendOnWorkingSets } from "./working-set.ts";

/** Columns up to which products of all pairs are worked out. */
const widestGram = 1024;
const maxSweeps = 2000;

const penalty: NumberSpec = {
  kind: "number",
  name: "penalty",
  default: 0.01,
  minimum: 0,
  maximum: 1e9,
  meaning: "Strength of the penalty on weights, against half the mean squared error; in units of the target.",
  search: { scale: "log", from: 1e-5, to: 10 },
};

const l1Share: NumberSpec = {
  kind: "number",
  name: "l1Share",
  default: 0.5,
  minimum: 0,
  maximum: 1,
  meaning:
    "Share of the penalty that is on absolute weights, which sets useless ones to 0; the rest is on squared weights.",
  search: { scale: "linear", from: 0.1, to: 1 },
};

/**
 * Minimises ½·mean(w·(y − b − x·β)²) + penalty·(l1Share·|β|₁ + ½·(1 − l1Share)·|β|²); the intercept b is free. A stream of up to 1024 dense columns is read
 * once and takes a batch and 12 · cols² bytes of memory. Others are read twice for each set of columns that may have a weight, which takes a batch, 12 bytes
 * for each pair in the set and 100 · cols bytes; should more than 2048 columns want a weight, they are read for each iteration and take 250 · cols bytes.
 */
export const elasticNet = coordinateEstimator("elastic-net", "Linear regression that drops and shrinks features.", [
  penalty,
  l1Share,
]);

/** Elastic net with l1Share 1. */
export const lasso = coordinateEstimator("lasso", "Linear regression that keeps the features that matter.", [penalty]);

function coordinateEstimator(name: string, description: string, parameters: readonly NumberSpec[]): Estimator {
  const estimator: Estimator = {
    name,
    task: "regression",
    description,
    parameters,
    sparse: true,
    missing: false,
    fit: (x, y, options) => fit(estimator, x, y, options),
    fitStream: (rows, options) => fitStream(estimator, rows, options),
    fromJson: (json) => LinearRegressor.fromJson(json),
  };
  return estimator;
}

async function fit(estimator: Estimator, x: Matrix, y: Targets, options: FitOptions): Promise<Fitted> {
  if (x.kind === "dense" && x.cols <= widestGram) return fitStream(estimator, rowsInMemory(x, y), options);
  checkRows(estimator, x, options);
  const { values } = numericTargets(y, x.rows);
  const problem = problemOf(estimator, options);
  const { beta, intercept } = await descendOnResiduals(x, values, { ...problem, weights: options.weights });
  return new LinearRegressor(beta, intercept);
}

async function fitStream(estimator: Estimator, rows: RowStream, options: FitOptions): Promise<Fitted> {
  const problem = problemOf(estimator, options);
  if (rows.layout === "sparse" || rows.cols > widestGram) {
    return descendByPasses(numericRows(estimator, rows, options), problem);
  }
  const gram = await checkedGram(estimator, rows, options, problem.pacer);
  const beta = await descendOnGram(gram, problem);
  return new LinearRegressor(beta, gram.targetMean - dot(beta, gram.means));
}

function problemOf(estimator: Estimator, { parameters, signal, onProgress }: FitOptions): CoordinateProblem {
  const p = resolveParameters<{ penalty: number; l1Share: number }>(estimator.parameters, parameters);
  const share = estimator === lasso ? 1 : p.l1Share;
  return {
    l1: p.penalty * share,
    l2: p.penalty * (1 - share),
    tolerance: 1e-6,
    maxSweeps,
    pacer: new Pacer(signal),
    onSweep: (sweep, move) => onProgress?.(sweep, maxSweeps, move),
  };
}

async function descendByPasses(passes: RowPasses<NumericTargets>, problem: CoordinateProblem): Promise<Fitted> {
  const { beta, intercept } =
    (await descendOnWorkingSets(passes, problem)) ?? (await descendByGradients(passes, problem));
  return new LinearRegressor(beta, intercept);
}

/** OWL-QN comes to the same minimum in more passes. */
async function descendByGradients(passes: RowPasses<NumericTargets>, problem: CoordinateProblem) {
  const { l1, l2, pacer, maxSweeps: maxIterations, onSweep } = problem;
  const { targetMean, targetSquares, total } = (await CentredRows.of(passes, pacer)).known;
  const moments = await columnMoments(passes, pacer);
  const penalty = { l1: l1 * total, l2: l2 * total };
  const objective = new ScoreObjective(passes, squaredLoss, { moments, penalty, pacer });
  const point = new Float64Array(objective.size);
  point[point.length - 1] = targetMean;
  await minimise(objective, point, {
    tolerance: 0.1 * problem.tolerance * Math.sqrt(targetSquares / total),
    maxIterations,
    l1: objective.l1,
    onStep: (step, value) => onSweep?.(step, value),
  });
  const { weights, intercepts } = objective.model(point);
  return { beta: weights, intercept: intercepts[0]! };
}
