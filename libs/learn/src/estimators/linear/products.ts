import type { DenseMatrix, Matrix, SparseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { Targets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";

/**
 * The two products every linear method is made of, over a range of rows so that a block stays in the cache between them. Weights are in an order of the
 * matrix's own (`weightOrder`): that of column j for output k at `j * columnStep + k * outputStep`.
 */
export interface Products {
  /** scores[(r − from) · outputs + k] = Σⱼ x[r, j] · weights[j, k] */
  scores(from: number, to: number, weights: Float64Array, scores: Float64Array): void;
  /** sums[j, k] += Σᵣ x[r, j] · factors[(r − from) · outputs + k] */
  accumulate(from: number, to: number, factors: Float64Array, sums: Float64Array): void;
}

/** Where the weight of a column for an output stands. */
export interface WeightOrder {
  readonly columnStep: number;
  readonly outputStep: number;
}

export function weightOrder(x: Pick<Matrix, "kind" | "cols">, outputs: number): WeightOrder {
  return x.kind === "dense" ? { columnStep: 1, outputStep: x.cols } : { columnStep: outputs, outputStep: 1 };
}

/** Weights [cols × outputs] in the order of a matrix. */
export function inOrderOf(x: Pick<Matrix, "kind" | "cols">, weights: Float64Array): Float64Array {
  const outputs = weights.length / x.cols;
  const { columnStep, outputStep } = weightOrder(x, outputs);
  const ordered = new Float64Array(weights.length);
  for (let j = 0; j < x.cols; j++) {
    for (let k = 0; k < outputs; k++) ordered[j * columnStep + k * outputStep] = weights[j * outputs + k]!;
  }
  return ordered;
}

/** Rows that should be worked at in one go. */
export function blockRowsOf({ kind, cols }: Pick<Matrix, "kind" | "cols">): number {
  return kind === "dense" ? Math.min(1024, Math.max(8, 4 * Math.floor(8192 / Math.max(1, cols)))) : 512;
}

export function productsOf(x: Matrix, outputs: number): Products {
  return x.kind === "dense" ? new DenseProducts(x, outputs) : new SparseProducts(x, outputs);
}

/** A pass in blocks of rows with the products of each. */
export async function eachProducts<Y extends Targets>(
  passes: RowPasses<Y>,
  outputs: number,
  pacer: Pacer,
  work: (products: Products, batch: WeighedBatch<Y>, from: number, to: number) => void,
): Promise<void> {
  const { cols, layout: kind } = passes;
  let last: { readonly x: Matrix; readonly products: Products } | undefined;
  await passes.eachBlock(blockRowsOf({ kind, cols }), pacer, (batch, from, to) => {
    if (last?.x !== batch.x) last = { x: batch.x, products: productsOf(batch.x, outputs) };
    work(last.products, batch, from, to);
  });
}

/** Four rows at a time: a weight (or sum) is loaded once for all of them. */
class DenseProducts implements Products {
  readonly #x: DenseMatrix;
  readonly #outputs: number;

  constructor(x: DenseMatrix, outputs: number) {
    this.#x = x;
    this.#outputs = outputs;
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
  readonly #x: SparseMatrix;
  readonly #outputs: number;

  constructor(x: SparseMatrix, outputs: number) {
    this.#x = x;
    this.#outputs = outputs;
  }

  scores(from: number, to: number, weights: Float64Array, scores: Float64Array): void {
    const { offsets, columns, values } = this.#x;
    const outputs = this.#outputs;
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
    const outputs = this.#outputs;
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

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
