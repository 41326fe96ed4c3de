import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, Fitted } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { resolveParameters } from "../../parameters.ts";
import type { Targets } from "../../targets.ts";
import { LinearClassifier } from "../linear/linear-classifier.ts";
import { checkRows, classTargets } from "../training-rows.ts";
import { logPriors } from "./priors.ts";

/** Multinomial naive Bayes (Manning, Raghavan and Schütze 2008, chapter 13): features are counts or other amounts ≥ 0. */
export const multinomialNaiveBayes: Estimator = {
  name: "multinomial-naive-bayes",
  task: "classification",
  description: "Naive Bayes over counts. One pass over the rows; a baseline for text.",
  parameters: [
    {
      kind: "number",
      name: "smoothing",
      default: 1,
      minimum: 1e-10,
      maximum: 1e6,
      meaning: "Added to the count of every feature in every class, so that none is impossible.",
      search: { scale: "log", from: 1e-3, to: 10 },
    },
  ],
  sparse: true,
  missing: false,
  fit,
  fromJson: (json) => LinearClassifier.fromJson(json),
};

async function fit(x: Matrix, y: Targets, options: FitOptions): Promise<Fitted> {
  checkRows(multinomialNaiveBayes, x, options);
  const targets = classTargets(y, x.rows, options.weights);
  const parameters = resolveParameters<{ smoothing: number }>(multinomialNaiveBayes.parameters, options.parameters);
  checkAmounts(x);
  const classes = targets.labels.values.length;
  const weights = sumsByClass(x, targets.indices, classes, options.weights);
  for (let c = 0; c < classes; c++) {
    let total = 0;
    for (let j = 0; j < x.cols; j++) total += weights[j * classes + c]! + parameters.smoothing;
    const logTotal = Math.log(total);
    for (let j = 0; j < x.cols; j++) {
      weights[j * classes + c] = Math.log(weights[j * classes + c]! + parameters.smoothing) - logTotal;
    }
  }
  options.onProgress?.(1, 1, 0);
  return new LinearClassifier({ labels: targets.labels, weights, intercepts: logPriors(targets, options.weights) });
}

/** [cols × classes] */
function sumsByClass(x: Matrix, indices: Int32Array, classes: number, weights: Float64Array | undefined): Float64Array {
  const sums = new Float64Array(x.cols * classes);
  for (let r = 0; r < x.rows; r++) {
    const weight = weights?.[r] ?? 1;
    const c = indices[r]!;
    if (x.kind === "dense") {
      for (let j = 0, i = r * x.cols; j < x.cols; j++, i++) sums[j * classes + c]! += x.data[i]! * weight;
    } else {
      for (let i = x.offsets[r]!; i < x.offsets[r + 1]!; i++) {
        sums[x.columns[i]! * classes + c]! += x.values[i]! * weight;
      }
    }
  }
  return sums;
}

function checkAmounts(x: Matrix): void {
  const cells = x.kind === "dense" ? x.data : x.values;
  const at = cells.findIndex((cell) => cell < 0);
  if (at < 0) return;
  throw new AimassError("INVALID_ARGUMENT", `A feature is ${cells[at]}; multinomial naive Bayes takes amounts.`, {
    reason: "BAD_CELL",
    remedy: "Use features ≥ 0 such as counts or TF-IDF (no standardising), or Gaussian naive Bayes.",
  });
}
