import type { Pacer } from "../../pacer.ts";
import type { NumericTargets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";
import { columnMoments } from "./column-scales.ts";
import { dot, ProductPasses } from "./products.ts";

/** What there is to know of columns before a regression begins. */
interface Known {
  readonly means: Float64Array;
  /** Σᵣ wᵣ (xᵣⱼ − x̄ⱼ)²; 0 for a column that is constant but for rounding. */
  readonly squares: Float64Array;
  readonly targetMean: number;
  /** Σᵣ wᵣ (yᵣ − ȳ)² */
  readonly targetSquares: number;
  /** Σᵣ wᵣ */
  readonly total: number;
}

/** Rows less the means of their columns, which are never written out, so that sparse rows stay sparse. */
export class CentredRows {
  readonly passes: RowPasses<NumericTargets>;
  readonly known: Known;
  readonly #products: ProductPasses<NumericTargets>;

  private constructor(passes: RowPasses<NumericTargets>, known: Known, pacer: Pacer) {
    this.passes = passes;
    this.known = known;
    this.#products = new ProductPasses(passes, 1, pacer);
  }

  /** Reads all rows once. */
  static async of(passes: RowPasses<NumericTargets>, pacer: Pacer): Promise<CentredRows> {
    const target = { total: 0, mean: 0, squares: 0 };
    const { means, squares, total } = await columnMoments(passes, pacer, ({ y, weights }, from, to) => {
      for (let r = from; r < to; r++) {
        const weight = weights === undefined ? 1 : weights[r]!;
        const d = y.values[r]! - target.mean;
        target.total += weight;
        target.mean += target.total > 0 ? (d * weight) / target.total : 0;
        target.squares += weight * d * (y.values[r]! - target.mean);
      }
    });
    const centred = squares.map((square, j) => {
      const shift = means[j]! ** 2 * total;
      const [left, rounding] = passes.layout === "dense" ? [square, 1e-24] : [square - shift, 1e-12];
      return left > rounding * shift ? left : 0;
    });
    const known = { means, squares: centred, total, targetMean: target.mean, targetSquares: target.squares };
    return new CentredRows(passes, known, pacer);
  }

  /** XᵀW(y − Xβ) */
  async residualProducts(beta: Float64Array): Promise<Float64Array> {
    return this.#through(beta, ({ y }, from, scores) => {
      const { targetMean } = this.known;
      for (let i = 0; i < scores.length; i++) scores[i] = y.values[from + i]! - targetMean - scores[i]!;
    });
  }

  /** XᵀWXβ */
  async products(beta: Float64Array): Promise<Float64Array> {
    return this.#through(beta, () => undefined);
  }

  intercept(beta: Float64Array): number {
    return this.known.targetMean - dot(beta, this.known.means);
  }

  /** XᵀW·f(Xβ) */
  async #through(
    beta: Float64Array,
    f: (batch: WeighedBatch<NumericTargets>, from: number, scores: Float64Array) => void,
  ): Promise<Float64Array> {
    const { means } = this.known;
    const shift = dot(beta, means);
    const sums = new Float64Array(means.length);
    let total = 0;
    const work = (scores: Float64Array, batch: WeighedBatch<NumericTargets>, from: number) => {
      for (let i = 0; i < scores.length; i++) scores[i]! -= shift;
      f(batch, from, scores);
      if (batch.weights !== undefined) for (let i = 0; i < scores.length; i++) scores[i]! *= batch.weights[from + i]!;
      for (let i = 0; i < scores.length; i++) total += scores[i]!;
    };
    await this.#products.each(beta, work, sums);
    for (let j = 0; j < sums.length; j++) sums[j]! -= total * means[j]!;
    return sums;
  }
}
