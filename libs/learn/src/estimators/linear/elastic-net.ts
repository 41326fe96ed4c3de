import type { Estimator, FitOptions, Fitted, NumberSpec } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import type { Targets } from "../../targets.ts";
import { checkRows, numericTargets } from "../training-rows.ts";
import { dot } from "./conjugate-gradient.ts";
import { descendOnGram, descendOnResiduals } from "./coordinate-descent.ts";
import { centredGram } from "./gram.ts";
import { LinearRegressor } from "./linear-regressor.ts";

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

/** Minimises ½·mean(w·(y − b − x·β)²) + penalty·(l1Share·|β|₁ + ½·(1 − l1Share)·|β|²); the intercept b is free. */
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
    fromJson: (json) => LinearRegressor.fromJson(json),
  };
  return estimator;
}

async function fit(estimator: Estimator, x: Matrix, y: Targets, options: FitOptions): Promise<Fitted> {
  checkRows(estimator, x, options);
  const { values } = numericTargets(y, x.rows);
  const resolved = resolveParameters<{ penalty: number; l1Share: number }>(estimator.parameters, options.parameters);
  const share = estimator === lasso ? 1 : resolved.l1Share;
  const pacer = new Pacer(options.signal);
  const { weights, onProgress } = options;
  const problem = {
    l1: resolved.penalty * share,
    l2: resolved.penalty * (1 - share),
    tolerance: 1e-6,
    maxSweeps,
    pacer,
    onSweep: (sweep: number, move: number) => onProgress?.(sweep, maxSweeps, move),
  };
  if (x.kind === "sparse" || x.cols > widestGram) {
    const { beta, intercept } = await descendOnResiduals(x, values, { ...problem, weights });
    return new LinearRegressor(beta, intercept);
  }
  const gram = await centredGram(x, values, { weights, pacer });
  const beta = await descendOnGram(gram, problem);
  return new LinearRegressor(beta, gram.targetMean - dot(beta, gram.means));
}
