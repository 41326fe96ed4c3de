import type { Comoments } from "./comoments.ts";

/** y = intercept + Σ weightⱼ · (xⱼ − meanⱼ) / scaleⱼ, in double precision. */
export class LinearModel {
  readonly means: Float64Array;
  readonly scales: Float64Array;
  readonly weights: Float64Array;
  readonly intercept: number;

  constructor(means: Float64Array, scales: Float64Array, weights: Float64Array, intercept: number) {
    this.means = means;
    this.scales = scales;
    this.weights = weights;
    this.intercept = intercept;
  }

  /** `kept` are the columns that `weights` belong to; the others get weight 0 and scale 1. The last column of `moments` is the target. */
  static fromFit(moments: Comoments, kept: readonly number[], weights: Float64Array): LinearModel {
    const size = moments.size - 1;
    const means = Float64Array.from({ length: size }, (_, j) => moments.mean(j));
    const scales = new Float64Array(size).fill(1);
    const all = new Float64Array(size);
    for (const [a, j] of kept.entries()) {
      scales[j] = Math.sqrt(moments.comoment(j, j) / moments.count);
      all[j] = weights[a] as number;
    }
    return new LinearModel(means, scales, all, moments.mean(size));
  }

  predict(x: Float64Array): number {
    let y = this.intercept;
    for (let j = 0; j < this.weights.length; j++) {
      y += (((x[j] as number) - (this.means[j] as number)) / (this.scales[j] as number)) * (this.weights[j] as number);
    }
    return y;
  }
}
