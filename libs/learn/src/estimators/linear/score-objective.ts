import type { Pacer } from "../../pacer.ts";
import type { Targets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";
import { type ColumnMoments, type ColumnScales, scalesOf } from "./column-scales.ts";
import type { Objective } from "./minimise.ts";
import { ProductPasses } from "./products.ts";
import type { ScoreLoss } from "./score-loss.ts";

interface Penalty {
  /** On half the squared weights, against the sum of losses. */
  readonly l2: number;
  /** On absolute weights, against the sum of losses. */
  readonly l1: number;
}

/**
 * Mean loss of a linear model and its penalty, as a function of the weights of standardised columns (and the intercepts, last). The penalty stays on the
 * weights of the columns as they are: standardising (with the penalty in the scale) only makes the way to the minimum shorter. Rows are not centred: their
 * mean is taken off the intercepts instead. Each evaluation is a pass over the rows.
 */
export class ScoreObjective<Y extends Targets> implements Objective {
  readonly size: number;
  /** Penalty on the absolute value of each variable; undefined where there is none. */
  readonly l1: Float64Array | undefined;
  readonly #passes: RowPasses<Y>;
  readonly #loss: ScoreLoss<Y>;
  readonly #products: ProductPasses<Y>;
  readonly #scales: ColumnScales;
  readonly #total: number;
  readonly #l2: number;

  constructor(
    passes: RowPasses<Y>,
    loss: ScoreLoss<Y>,
    { moments, penalty, pacer }: { moments: ColumnMoments; penalty: Penalty; pacer: Pacer },
  ) {
    this.#passes = passes;
    this.#loss = loss;
    this.#products = new ProductPasses(passes, loss.outputs, pacer);
    this.#total = moments.total;
    this.#l2 = penalty.l2 / this.#total;
    this.#scales = withPenalty(scalesOf(moments, passes.layout), this.#l2 / loss.curvature);
    this.size = (passes.cols + 1) * loss.outputs;
    this.l1 = penalty.l1 > 0 ? this.#absolutePenalty(penalty.l1 / this.#total) : undefined;
  }

  async evaluate(point: Float64Array, gradient: Float64Array): Promise<number> {
    const { outputs } = this.#loss;
    const cells = this.#passes.cols * outputs;
    const { weights, intercepts } = this.#unscaled(point);
    const sums = new Float64Array(cells);
    const factorSums = new Float64Array(outputs);
    let loss = 0;
    const work = (scores: Float64Array, batch: WeighedBatch<Y>, from: number, to: number) => {
      for (let i = 0; i < scores.length; i += outputs) {
        for (let k = 0; k < outputs; k++) scores[i + k]! += intercepts[k]!;
      }
      loss += this.#loss.derive(scores, batch, from, to);
      for (let i = 0; i < scores.length; i += outputs) {
        for (let k = 0; k < outputs; k++) factorSums[k]! += scores[i + k]!;
      }
    };
    await this.#products.each(weights, work, sums);
    const { means, deviations, varies } = this.#scales;
    let penalty = 0;
    for (let k = 0; k < outputs; k++) {
      const factorSum = factorSums[k]!;
      for (let j = 0; j < this.#passes.cols; j++) {
        const at = j * outputs + k;
        const weight = weights[at]!;
        penalty += weight * weight;
        const slope = (sums[at]! - means[j]! * factorSum) / this.#total + this.#l2 * weight;
        gradient[at] = varies[j] === 1 ? slope / deviations[j]! : 0;
      }
      gradient[cells + k] = factorSum / this.#total;
    }
    return loss / this.#total + 0.5 * this.#l2 * penalty;
  }

  /** The model at a point: weights [cols × outputs] of the columns as they are, and intercepts. */
  model(point: Float64Array): { weights: Float64Array; intercepts: Float64Array } {
    return this.#unscaled(point);
  }

  #unscaled(point: Float64Array): { weights: Float64Array; intercepts: Float64Array } {
    const { outputs } = this.#loss;
    const { means, deviations, varies } = this.#scales;
    const cells = this.#passes.cols * outputs;
    const weights = new Float64Array(cells);
    const intercepts = point.slice(cells);
    for (let k = 0; k < outputs; k++) {
      for (let j = 0; j < this.#passes.cols; j++) {
        const at = j * outputs + k;
        if (varies[j] === 0) continue;
        weights[at] = point[at]! / deviations[j]!;
        intercepts[k]! -= weights[at]! * means[j]!;
      }
    }
    return { weights, intercepts };
  }

  #absolutePenalty(l1: number): Float64Array {
    const { outputs } = this.#loss;
    const penalty = new Float64Array(this.size);
    for (let j = 0; j < this.#passes.cols; j++) {
      for (let k = 0; k < outputs; k++) {
        penalty[j * outputs + k] = l1 / this.#scales.deviations[j]!;
      }
    }
    return penalty;
  }
}

/** Scales that make columns alike with the penalty's share in their curvature, which is most of it for what is rarely seen. */
function withPenalty(scales: ColumnScales, share: number): ColumnScales {
  return { ...scales, deviations: scales.deviations.map((deviation) => Math.sqrt(deviation * deviation + share)) };
}
