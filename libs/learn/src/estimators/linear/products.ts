import type { Pacer } from "../../pacer.ts";
import type { Targets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";
import { DenseProducts } from "./dense-products.ts";
import type { Products } from "./row-products.ts";
import { SparseProducts } from "./sparse-products.ts";

/** Passes over rows with the scores of a linear model. */
export class ProductPasses<Y extends Targets> {
  readonly #passes: RowPasses<Y>;
  readonly #outputs: number;
  readonly #pacer: Pacer;
  readonly #products: Products;

  constructor(passes: RowPasses<Y>, outputs: number, pacer: Pacer) {
    this.#passes = passes;
    this.#outputs = outputs;
    this.#pacer = pacer;
    const { cols, layout } = passes;
    this.#products = layout === "dense" ? new DenseProducts(cols, outputs) : new SparseProducts(outputs);
  }

  /**
   * Works through all rows in blocks: `work` gets the scores [rows × outputs] of one and may put factors in their place, whose products with the columns
   * are then added to `sums` [cols × outputs].
   */
  async each(
    weights: Float64Array,
    work: (scores: Float64Array, batch: WeighedBatch<Y>, from: number, to: number) => void,
    sums?: Float64Array,
  ): Promise<void> {
    const products = this.#products;
    products.use(weights);
    const whole = new Float64Array(products.blockRows * this.#outputs);
    await this.#passes.eachBlock(products.blockRows, this.#pacer, (batch, from, to) => {
      const scores = whole.subarray(0, (to - from) * this.#outputs);
      products.scores(batch.x, from, to, scores);
      work(scores, batch, from, to);
      if (sums !== undefined) products.accumulate(batch.x, from, to, scores, sums);
    });
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
