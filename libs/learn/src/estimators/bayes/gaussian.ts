import type { Estimator, FitOptions, Fitted } from "../../estimator.ts";
import type { DenseMatrix, Matrix } from "../../matrix.ts";
import { resolveParameters } from "../../parameters.ts";
import type { ClassTargets, Targets } from "../../targets.ts";
import { columnScales } from "../linear/column-scales.ts";
import { checkRows, classTargets, toDense } from "../training-rows.ts";
import { GaussianModel } from "./gaussian-model.ts";
import { logPriors } from "./priors.ts";

/** Gaussian naive Bayes: in each class every feature is normally distributed and independent of the others. */
export const gaussianNaiveBayes: Estimator = {
  name: "gaussian-naive-bayes",
  task: "classification",
  description: "Naive Bayes over measurements. Two passes over the rows; a baseline for few rows.",
  parameters: [
    {
      kind: "number",
      name: "smoothing",
      default: 1e-9,
      minimum: 1e-12,
      maximum: 1,
      meaning: "Added to every variance, as a share of the largest variance of a feature.",
      search: { scale: "log", from: 1e-11, to: 1e-2 },
    },
  ],
  sparse: false,
  missing: false,
  fit,
  fromJson: (json) => GaussianModel.fromJson(json),
};

async function fit(x: Matrix, y: Targets, options: FitOptions): Promise<Fitted> {
  checkRows(gaussianNaiveBayes, x, options);
  const targets = classTargets(y, x.rows, options.weights);
  const { smoothing } = resolveParameters<{ smoothing: number }>(gaussianNaiveBayes.parameters, options.parameters);
  const rows = toDense(x);
  const { means, variances } = momentsByClass(rows, targets, options.weights);
  const { deviations, varies } = columnScales(rows, options.weights);
  const widest = deviations.reduce((most, d, j) => (varies[j] === 1 ? Math.max(most, d * d) : most), 0);
  const floor = smoothing * (widest || 1);
  options.onProgress?.(1, 1, 0);
  return new GaussianModel({
    labels: targets.labels,
    means,
    variances: variances.map((variance) => variance + floor),
    logPriors: logPriors(targets, options.weights),
  });
}

/** Means and variances [classes × cols]; a class without rows has mean 0 and variance 1. */
function momentsByClass(x: DenseMatrix, { indices, labels }: ClassTargets, weights: Float64Array | undefined) {
  const { data, cols, rows } = x;
  const classes = labels.values.length;
  const totals = new Float64Array(classes);
  const means = new Float64Array(classes * cols);
  const variances = new Float64Array(classes * cols);
  for (let r = 0; r < rows; r++) {
    const c = indices[r]!;
    const weight = weights === undefined ? 1 : weights[r]!;
    totals[c]! += weight;
    for (let j = 0; j < cols; j++) means[c * cols + j]! += weight * data[r * cols + j]!;
  }
  for (let i = 0; i < means.length; i++) means[i]! /= totals[Math.floor(i / cols)]! || 1;
  for (let r = 0; r < rows; r++) {
    const base = indices[r]! * cols;
    const weight = weights === undefined ? 1 : weights[r]!;
    for (let j = 0; j < cols; j++) {
      const d = data[r * cols + j]! - means[base + j]!;
      variances[base + j]! += weight * d * d;
    }
  }
  for (let i = 0; i < variances.length; i++) {
    const total = totals[Math.floor(i / cols)]!;
    variances[i] = total > 0 ? variances[i]! / total : 1;
  }
  return { means, variances };
}
