import type { Matrix, SparseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { Targets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";

/** Weighted moments of columns. */
export interface ColumnMoments {
  readonly means: Float64Array;
  /** Sum of weighted squares: of dense rows around the mean, of sparse rows around 0. */
  readonly squares: Float64Array;
  /** Sum of the weights. */
  readonly total: number;
}

/** Where columns lie and how far they spread. */
export interface ColumnScales {
  /** Mean of each column over weighted rows; 0 for sparse rows, which centring would fill up. */
  readonly means: Float64Array;
  /** Root of the mean square around `means`; 1 for a column that does not vary. */
  readonly deviations: Float64Array;
  /** 1 where a column varies. */
  readonly varies: Uint8Array;
}

const blockRows = 1024;

/** Reads all rows once; `visit` may look at them too. */
export async function columnMoments<Y extends Targets>(
  passes: RowPasses<Y>,
  pacer: Pacer,
  visit?: (batch: WeighedBatch<Y>, from: number, to: number) => void,
): Promise<ColumnMoments> {
  const moments = passes.layout === "dense" ? new DenseMoments(passes.cols) : new SparseMoments(passes.cols);
  await passes.eachBlock(blockRows, pacer, (batch, from, to) => {
    moments.add(batch.x, batch.weights, from, to);
    visit?.(batch, from, to);
  });
  const { means, squares, total } = moments;
  return { means, squares, total };
}

/** Scales that make columns alike; sparse ones without moving their zeros. */
export function scalesOf({ means, squares, total }: ColumnMoments, layout: Matrix["kind"]): ColumnScales {
  const varies = new Uint8Array(means.length);
  const deviations = new Float64Array(means.length).fill(1);
  const centres = layout === "dense" ? means : new Float64Array(means.length);
  for (let j = 0; j < means.length; j++) {
    const deviation = Math.sqrt(squares[j]! / total);
    // Rounding of the mean leaves a constant column with a spread of about 1e-16 of its size.
    if (!(deviation > 1e-12 * Math.abs(centres[j]!))) continue;
    varies[j] = 1;
    deviations[j] = deviation;
  }
  return { means: centres, deviations, varies };
}

/** Large means take no digits from small spreads (Welford 1962, with the weights of West 1979). */
class DenseMoments {
  readonly means: Float64Array;
  readonly squares: Float64Array;
  total = 0;

  constructor(cols: number) {
    this.means = new Float64Array(cols);
    this.squares = new Float64Array(cols);
  }

  add(x: Matrix, weights: Float64Array | undefined, from: number, to: number): void {
    if (x.kind !== "dense") return;
    const { means, squares } = this;
    const { data, cols } = x;
    for (let r = from, i = from * cols; r < to; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      this.total += weight;
      const share = this.total > 0 ? weight / this.total : 0;
      for (let j = 0; j < cols; j++, i++) {
        const value = data[i]!;
        const d = value - means[j]!;
        const mean = means[j]! + d * share;
        means[j] = mean;
        squares[j]! += d * (value - mean) * weight;
      }
    }
  }
}

class SparseMoments {
  readonly squares: Float64Array;
  readonly #sums: Float64Array;
  total = 0;

  constructor(cols: number) {
    this.#sums = new Float64Array(cols);
    this.squares = new Float64Array(cols);
  }

  get means(): Float64Array {
    return this.#sums.map((sum) => sum / this.total);
  }

  add(x: Matrix, weights: Float64Array | undefined, from: number, to: number): void {
    if (x.kind !== "sparse") return;
    const { offsets, columns, values }: SparseMatrix = x;
    for (let r = from; r < to; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      this.total += weight;
      for (let i = offsets[r]!; i < offsets[r + 1]!; i++) {
        const weighted = values[i]! * weight;
        this.#sums[columns[i]!]! += weighted;
        this.squares[columns[i]!]! += weighted * values[i]!;
      }
    }
  }
}

/** Weighted mean of each column of rows in memory. */
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
