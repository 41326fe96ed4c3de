import type { Matrix } from "../../matrix.ts";

/** Where columns lie and how far they spread. */
export interface ColumnScales {
  /** Mean of each column over weighted rows; 0 for sparse rows, which centring would fill up. */
  readonly means: Float64Array;
  /** Root of the mean square around `means`; 1 for a column that does not vary. */
  readonly deviations: Float64Array;
  /** 1 where a column varies. */
  readonly varies: Uint8Array;
}

/** Two passes, the second around the means of the first, so that large means take no digits from small spreads. */
export function columnScales(x: Matrix, weights: Float64Array | undefined): ColumnScales {
  const total = weights === undefined ? x.rows : weights.reduce((sum, weight) => sum + weight, 0);
  const means = x.kind === "dense" ? columnMeans(x, weights) : new Float64Array(x.cols);
  const squares = new Float64Array(x.cols);
  if (x.kind === "dense") {
    for (let r = 0, i = 0; r < x.rows; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      for (let j = 0; j < x.cols; j++, i++) {
        const d = x.data[i]! - means[j]!;
        squares[j]! += d * d * weight;
      }
    }
  } else {
    for (let r = 0; r < x.rows; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      for (let i = x.offsets[r]!; i < x.offsets[r + 1]!; i++) squares[x.columns[i]!]! += x.values[i]! ** 2 * weight;
    }
  }
  const varies = new Uint8Array(x.cols);
  const deviations = new Float64Array(x.cols).fill(1);
  for (let j = 0; j < x.cols; j++) {
    const deviation = Math.sqrt(squares[j]! / total);
    // Rounding of the mean leaves a constant column with a spread of about 1e-16 of its size.
    if (!(deviation > 1e-12 * Math.abs(means[j]!))) continue;
    varies[j] = 1;
    deviations[j] = deviation;
  }
  return { means, deviations, varies };
}

/** Weighted mean of each column. */
export function columnMeans(x: Matrix, weights: Float64Array | undefined): Float64Array {
  const sums = new Float64Array(x.cols);
  let total = 0;
  for (let r = 0; r < x.rows; r++) {
    const weight = weights === undefined ? 1 : weights[r]!;
    total += weight;
    if (x.kind === "dense") {
      const base = r * x.cols;
      for (let j = 0; j < x.cols; j++) sums[j]! += x.data[base + j]! * weight;
    } else {
      for (let i = x.offsets[r]!; i < x.offsets[r + 1]!; i++) sums[x.columns[i]!]! += x.values[i]! * weight;
    }
  }
  for (let j = 0; j < x.cols; j++) sums[j]! /= total;
  return sums;
}
