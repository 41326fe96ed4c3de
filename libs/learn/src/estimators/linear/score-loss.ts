import type { ClassTargets, NumericTargets, Targets } from "../../targets.ts";
import type { WeighedBatch } from "../row-passes.ts";

/** A loss of scores [rows × outputs] against the targets of rows. */
export interface ScoreLoss<Y extends Targets> {
  readonly outputs: number;
  /** The largest second derivative by a score. */
  readonly curvature: number;
  /** Sum of weighted losses of rows `from` to `to` of a batch; `scores` hold theirs and then the derivatives of the loss by them. */
  derive(scores: Float64Array, batch: WeighedBatch<Y>, from: number, to: number): number;
}

/** Half the square of what a score lacks. */
export const squaredLoss: ScoreLoss<NumericTargets> = {
  outputs: 1,
  curvature: 1,
  derive(scores, { y, weights }, from, to) {
    let loss = 0;
    for (let r = from; r < to; r++) {
      const d = scores[r - from]! - y.values[r]!;
      const slope = weights === undefined ? d : weights[r]! * d;
      loss += 0.5 * slope * d;
      scores[r - from] = slope;
    }
    return loss;
  },
};

/** −log of the probability by the logistic function of one score in favour of class 1. */
export const logisticLoss: ScoreLoss<ClassTargets> = {
  outputs: 1,
  curvature: 0.25,
  derive(scores, { y: { indices }, weights }, from, to) {
    let loss = 0;
    for (let r = from; r < to; r++) {
      const s = scores[r - from]!;
      const weight = weights === undefined ? 1 : weights[r]!;
      const y = indices[r]!;
      // exp of a number ≤ 0 cannot overflow.
      const e = Math.exp(s > 0 ? -s : s);
      const p = s > 0 ? 1 / (1 + e) : e / (1 + e);
      loss += weight * (Math.log1p(e) + (s > 0 ? (y === 1 ? 0 : s) : y === 1 ? -s : 0));
      scores[r - from] = weight * (p - y);
    }
    return loss;
  },
};

/** −log of the probability by softmax. */
export function softmaxLoss(classes: number): ScoreLoss<ClassTargets> {
  return {
    outputs: classes,
    curvature: 0.25,
    derive(scores, { y: { indices }, weights }, from, to) {
      let loss = 0;
      for (let r = from; r < to; r++) {
        const at = (r - from) * classes;
        const weight = weights === undefined ? 1 : weights[r]!;
        let top = scores[at]!;
        for (let c = 1; c < classes; c++) if (scores[at + c]! > top) top = scores[at + c]!;
        const own = scores[at + indices[r]!]! - top;
        let sum = 0;
        for (let c = 0; c < classes; c++) {
          const e = Math.exp(scores[at + c]! - top);
          scores[at + c] = e;
          sum += e;
        }
        const factor = weight / sum;
        for (let c = 0; c < classes; c++) scores[at + c]! *= factor;
        scores[at + indices[r]!]! -= weight;
        loss += weight * (Math.log(sum) - own);
      }
      return loss;
    },
  };
}

/** max(0, 1 − s)² of each class against the rest, where s is the score for a row's own class and its negative for others; one output stands for two classes. */
export function squaredHingeLoss(classes: number): ScoreLoss<ClassTargets> {
  const outputs = classes === 2 ? 1 : classes;
  return {
    outputs,
    curvature: 2,
    derive(scores, { y: { indices }, weights }, from, to) {
      let loss = 0;
      for (let r = from; r < to; r++) {
        const weight = weights === undefined ? 1 : weights[r]!;
        for (let k = 0; k < outputs; k++) {
          const at = (r - from) * outputs + k;
          const sign = indices[r] === (outputs === 1 ? 1 : k) ? 1 : -1;
          const short = 1 - sign * scores[at]!;
          scores[at] = short > 0 ? -2 * weight * sign * short : 0;
          if (short > 0) loss += weight * short * short;
        }
      }
      return loss;
    },
  };
}
