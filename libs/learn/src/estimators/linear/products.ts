import type { DenseMatrix, Matrix, SparseMatrix } from "../../matrix.ts";

/**
 * The two products every linear method is made of, over a range of rows so that a block stays in the cache between them. Weights are in an order of the
 * matrix's own: weight of column j for output k at `j * columnStep + k * outputStep`.
 */
export interface Products {
  readonly columnStep: number;
  readonly outputStep: number;
  /** Rows that should be worked at in one go. */
  readonly blockRows: number;
  /** scores[(r − from) · outputs + k] = Σⱼ x[r, j] · weights[j, k] */
  scores(from: number, to: number, weights: Float64Array, scores: Float64Array): void;
  /** sums[j, k] += Σᵣ x[r, j] · factors[(r − from) · outputs + k] */
  accumulate(from: number, to: number, factors: Float64Array, sums: Float64Array): void;
}

export function productsOf(x: Matrix, outputs: number): Products {
  return x.kind === "dense" ? new DenseProducts(x, outputs) : new SparseProducts(x, outputs);
}

/** Four rows at a time: a weight (or sum) is loaded once for all of them. */
class DenseProducts implements Products {
  readonly columnStep = 1;
  readonly outputStep: number;
  readonly blockRows: number;
  readonly #x: DenseMatrix;
  readonly #outputs: number;

  constructor(x: DenseMatrix, outputs: number) {
    this.#x = x;
    this.#outputs = outputs;
    this.outputStep = x.cols;
    this.blockRows = Math.min(1024, Math.max(8, 4 * Math.floor(8192 / Math.max(1, x.cols))));
  }

  scores(from: number, to: number, weights: Float64Array, scores: Float64Array): void {
    const { data, cols } = this.#x;
    const outputs = this.#outputs;
    for (let k = 0; k < outputs; k++) {
      const w = weights.subarray(k * cols, (k + 1) * cols);
      let r = from;
      for (; r + 4 <= to; r += 4) {
        const a = r * cols;
        const b = a + cols;
        const c = b + cols;
        const d = c + cols;
        let sa = 0;
        let sb = 0;
        let sc = 0;
        let sd = 0;
        for (let j = 0; j < cols; j++) {
          const weight = w[j]!;
          sa += data[a + j]! * weight;
          sb += data[b + j]! * weight;
          sc += data[c + j]! * weight;
          sd += data[d + j]! * weight;
        }
        const at = (r - from) * outputs + k;
        scores[at] = sa;
        scores[at + outputs] = sb;
        scores[at + 2 * outputs] = sc;
        scores[at + 3 * outputs] = sd;
      }
      for (; r < to; r++) {
        let sum = 0;
        for (let j = 0, a = r * cols; j < cols; j++) sum += data[a + j]! * w[j]!;
        scores[(r - from) * outputs + k] = sum;
      }
    }
  }

  accumulate(from: number, to: number, factors: Float64Array, sums: Float64Array): void {
    const { data, cols } = this.#x;
    const outputs = this.#outputs;
    for (let k = 0; k < outputs; k++) {
      const s = sums.subarray(k * cols, (k + 1) * cols);
      let r = from;
      for (; r + 4 <= to; r += 4) {
        const a = r * cols;
        const b = a + cols;
        const c = b + cols;
        const d = c + cols;
        const at = (r - from) * outputs + k;
        const fa = factors[at]!;
        const fb = factors[at + outputs]!;
        const fc = factors[at + 2 * outputs]!;
        const fd = factors[at + 3 * outputs]!;
        for (let j = 0; j < cols; j++) {
          s[j]! += data[a + j]! * fa + data[b + j]! * fb + data[c + j]! * fc + data[d + j]! * fd;
        }
      }
      for (; r < to; r++) {
        const f = factors[(r - from) * outputs + k]!;
        for (let j = 0, a = r * cols; j < cols; j++) s[j]! += data[a + j]! * f;
      }
    }
  }
}

/** Weights of a column lie side by side, so that a cell touches one place in memory whatever the number of outputs. */
class SparseProducts implements Products {
  readonly columnStep: number;
  readonly outputStep = 1;
  readonly blockRows = 512;
  readonly #x: SparseMatrix;

  constructor(x: SparseMatrix, outputs: number) {
    this.#x = x;
    this.columnStep = outputs;
  }

  scores(from: number, to: number, weights: Float64Array, scores: Float64Array): void {
    const { offsets, columns, values } = this.#x;
    const outputs = this.columnStep;
    if (outputs === 1) {
      for (let r = from; r < to; r++) {
        const end = offsets[r + 1]!;
        let sum = 0;
        for (let i = offsets[r]!; i < end; i++) sum += values[i]! * weights[columns[i]!]!;
        scores[r - from] = sum;
      }
      return;
    }
    scores.fill(0, 0, (to - from) * outputs);
    for (let r = from; r < to; r++) {
      const at = (r - from) * outputs;
      const end = offsets[r + 1]!;
      for (let i = offsets[r]!; i < end; i++) {
        const value = values[i]!;
        const w = columns[i]! * outputs;
        for (let k = 0; k < outputs; k++) scores[at + k]! += value * weights[w + k]!;
      }
    }
  }

  accumulate(from: number, to: number, factors: Float64Array, sums: Float64Array): void {
    const { offsets, columns, values } = this.#x;
    const outputs = this.columnStep;
    for (let r = from; r < to; r++) {
      const at = (r - from) * outputs;
      const end = offsets[r + 1]!;
      if (outputs === 1) {
        const f = factors[at]!;
        if (f === 0) continue;
        for (let i = offsets[r]!; i < end; i++) sums[columns[i]!]! += values[i]! * f;
        continue;
      }
      for (let i = offsets[r]!; i < end; i++) {
        const value = values[i]!;
        const s = columns[i]! * outputs;
        for (let k = 0; k < outputs; k++) sums[s + k]! += value * factors[at + k]!;
      }
    }
  }
}
