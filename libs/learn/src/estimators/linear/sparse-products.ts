import type { Matrix } from "../../matrix.ts";
import type { Products } from "./row-products.ts";

/** Weights of a column lie side by side, so that a cell touches one place in memory whatever the number of outputs. */
export class SparseProducts implements Products {
  readonly blockRows = 512;
  readonly #outputs: number;
  #weights = new Float64Array(0);

  constructor(outputs: number) {
    this.#outputs = outputs;
  }

  use(weights: Float64Array): void {
    this.#weights = weights as Float64Array<ArrayBuffer>;
  }

  scores(x: Matrix, from: number, to: number, scores: Float64Array): void {
    if (x.kind !== "sparse") return;
    const { offsets, columns, values } = x;
    const outputs = this.#outputs;
    const weights = this.#weights;
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

  accumulate(x: Matrix, from: number, to: number, factors: Float64Array, sums: Float64Array): void {
    if (x.kind !== "sparse") return;
    const { offsets, columns, values } = x;
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
