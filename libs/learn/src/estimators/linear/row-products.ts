import type { Matrix } from "../../matrix.ts";

/** The two products every linear method is made of, over a range of rows so that a block stays in the cache between them. Weights are [cols × outputs]. */
export interface Products {
  /** Rows that can be worked at in one go. */
  readonly blockRows: number;
  /** The weights of the scores to come. */
  use(weights: Float64Array): void;
  /** scores[(r − from) · outputs + k] = Σⱼ x[r, j] · weights[j, k] */
  scores(x: Matrix, from: number, to: number, scores: Float64Array): void;
  /** sums[j, k] += Σᵣ x[r, j] · factors[(r − from) · outputs + k], for the rows whose scores were asked for last. */
  accumulate(x: Matrix, from: number, to: number, factors: Float64Array, sums: Float64Array): void;
}
