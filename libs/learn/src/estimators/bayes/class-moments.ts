import type { SparseMatrix } from "../../matrix.ts";
import type { ClassTargets } from "../../targets.ts";
import type { WeighedBatch } from "../row-passes.ts";

/** Means and variances of columns in each class, row after row (Welford 1962, with the weights of West 1979). Arrays are [classes × cols]. */
export class ClassMoments {
  /** 0 for a class without rows. */
  readonly means: Float64Array;
  /** Sum of the weights of each class. */
  readonly totals: Float64Array;
  readonly #squares: Float64Array;
  readonly #cols: number;
  /** A sparse row with its zeros. */
  readonly #row: Float32Array;

  constructor(classes: number, cols: number) {
    this.#cols = cols;
    this.#row = new Float32Array(cols);
    this.totals = new Float64Array(classes);
    this.means = new Float64Array(classes * cols);
    this.#squares = new Float64Array(classes * cols);
  }

  add({ x, y, weights }: WeighedBatch<ClassTargets>, from: number, to: number): void {
    for (let r = from; r < to; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      if (x.kind === "dense") this.#addRow(y.indices[r]!, weight, x.data, r * x.cols);
      else this.#addRow(y.indices[r]!, weight, this.#writtenOut(x, r), 0);
    }
  }

  #addRow(c: number, weight: number, data: Float32Array, start: number): void {
    const { means, totals } = this;
    const squares = this.#squares;
    const cols = this.#cols;
    totals[c]! += weight;
    const share = totals[c]! > 0 ? weight / totals[c]! : 0;
    for (let at = c * cols, end = at + cols, i = start; at < end; at++, i++) {
      const value = data[i]!;
      const d = value - means[at]!;
      const mean = means[at]! + d * share;
      means[at] = mean;
      squares[at]! += d * (value - mean) * weight;
    }
  }

  #writtenOut({ offsets, columns, values }: SparseMatrix, r: number): Float32Array {
    this.#row.fill(0);
    for (let i = offsets[r]!; i < offsets[r + 1]!; i++) this.#row[columns[i]!] = values[i]!;
    return this.#row;
  }

  /** 1 for a class without rows. */
  variances(): Float64Array {
    return this.#squares.map((sum, i) => {
      const total = this.totals[Math.floor(i / this.#cols)]!;
      return total > 0 ? sum / total : 1;
    });
  }

  /** The largest variance that a column has over all classes: that within them and that between their means. */
  widest(): number {
    const { totals, means } = this;
    const cols = this.#cols;
    const total = totals.reduce((all, sum) => all + sum, 0);
    let widest = 0;
    for (let j = 0; j < cols; j++) {
      let mean = 0;
      for (let c = 0; c < totals.length; c++) mean += (totals[c]! / total) * means[c * cols + j]!;
      let squares = 0;
      for (let c = 0; c < totals.length; c++) {
        squares += this.#squares[c * cols + j]! + totals[c]! * (means[c * cols + j]! - mean) ** 2;
      }
      // Rounding of the mean leaves a constant column with a spread of about 1e-16 of its size.
      const variance = squares / total;
      if (variance > 1e-24 * mean * mean) widest = Math.max(widest, variance);
    }
    return widest;
  }
}
