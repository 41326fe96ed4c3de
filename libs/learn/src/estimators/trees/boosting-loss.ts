import type { Targets } from "../../targets.ts";

/** What boosting lowers. Scores and derivatives are [outputs × rows]. */
export interface BoostingLoss {
  readonly outputs: number;
  /** Whether the second derivative is 1 for every row. */
  readonly evenCurvature: boolean;
  /** Scores before the first tree, from the rows in `training`. */
  base(training: Int32Array): Float64Array;
  /** Writes the derivatives by the score of every row. */
  derive(scores: Float64Array, gradients: Float32Array, curvatures: Float32Array): void;
  /** Weighted mean loss of some rows. */
  mean(scores: Float64Array, rows: Int32Array): number;
}

export function boostingLoss(y: Targets, weights: Float64Array | undefined): BoostingLoss {
  if (y.kind === "numbers") return squaredLoss(y.values, weights);
  const classes = y.labels.values.length;
  return classes === 2 ? binaryLoss(y.indices, weights) : multiclassLoss(y.indices, classes, weights);
}

/** Half the squared error. */
function squaredLoss(values: Float64Array, weights: Float64Array | undefined): BoostingLoss {
  return {
    outputs: 1,
    evenCurvature: weights === undefined,
    base: (training) => Float64Array.of(weightedMean(training, weights, (r) => values[r]!)),
    derive(scores, gradients, curvatures) {
      for (let r = 0; r < values.length; r++) {
        const weight = weights === undefined ? 1 : weights[r]!;
        gradients[r] = weight * (scores[r]! - values[r]!);
        curvatures[r] = weight;
      }
    },
    mean: (scores, rows) => weightedMean(rows, weights, (r) => 0.5 * (scores[r]! - values[r]!) ** 2),
  };
}

/** −log of the probability by the logistic function. */
function binaryLoss(indices: Int32Array, weights: Float64Array | undefined): BoostingLoss {
  return {
    outputs: 1,
    evenCurvature: false,
    base(training) {
      const share = bounded(weightedMean(training, weights, (r) => indices[r]!));
      return Float64Array.of(Math.log(share / (1 - share)));
    },
    derive(scores, gradients, curvatures) {
      for (let r = 0; r < indices.length; r++) {
        const weight = weights === undefined ? 1 : weights[r]!;
        const p = 1 / (1 + Math.exp(-scores[r]!));
        gradients[r] = weight * (p - indices[r]!);
        curvatures[r] = weight * p * (1 - p);
      }
    },
    mean: (scores, rows) =>
      weightedMean(rows, weights, (r) => {
        const s = indices[r] === 1 ? -scores[r]! : scores[r]!;
        return Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));
      }),
  };
}

/** −log of the probability by softmax. */
function multiclassLoss(indices: Int32Array, classes: number, weights: Float64Array | undefined): BoostingLoss {
  const rows = indices.length;
  const shares = new Float64Array(classes);
  /** Writes probabilities of the row; returns the logarithm of their common divisor. */
  const softmax = (scores: Float64Array, r: number) => {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) top = Math.max(top, scores[c * rows + r]!);
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      shares[c] = Math.exp(scores[c * rows + r]! - top);
      sum += shares[c]!;
    }
    for (let c = 0; c < classes; c++) shares[c]! /= sum;
    return top + Math.log(sum);
  };
  return {
    outputs: classes,
    evenCurvature: false,
    base(training) {
      return Float64Array.from({ length: classes }, (_, c) =>
        Math.log(bounded(weightedMean(training, weights, (r) => (indices[r] === c ? 1 : 0)))),
      );
    },
    derive(scores, gradients, curvatures) {
      for (let r = 0; r < rows; r++) {
        const weight = weights === undefined ? 1 : weights[r]!;
        softmax(scores, r);
        for (let c = 0; c < classes; c++) {
          const p = shares[c]!;
          gradients[c * rows + r] = weight * (p - (indices[r] === c ? 1 : 0));
          curvatures[c * rows + r] = weight * p * (1 - p);
        }
      }
    },
    mean: (scores, some) => weightedMean(some, weights, (r) => softmax(scores, r) - scores[indices[r]! * rows + r]!),
  };
}

function weightedMean(rows: Int32Array, weights: Float64Array | undefined, value: (row: number) => number): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < rows.length; i++) {
    const r = rows[i]!;
    const weight = weights === undefined ? 1 : weights[r]!;
    sum += weight * value(r);
    total += weight;
  }
  return total > 0 ? sum / total : 0;
}

/** Away from 0 and 1, whose logarithms are infinite. */
function bounded(share: number): number {
  return Math.min(Math.max(share, 1e-7), 1 - 1e-7);
}
