import type { ClassTargets } from "../../targets.ts";
import type { Calibration } from "./linear-classifier.ts";

/**
 * Probabilities for scores that are no log-odds (Platt 1999, with the targets and Newton's method of Lin, Lin and Weng 2007): per output the logistic
 * curve that fits the scores of the training rows best.
 */
export function calibrate(scores: Float64Array, outputs: number, y: ClassTargets, weights?: Float64Array): Calibration {
  const slopes = new Float64Array(outputs);
  const offsets = new Float64Array(outputs);
  for (let k = 0; k < outputs; k++) {
    const own = outputs === 1 ? 1 : k;
    const curve = fitCurve(scores, { outputs, k, own, y, weights });
    slopes[k] = curve.slope;
    offsets[k] = curve.offset;
  }
  return { slopes, offsets };
}

interface CurveRows {
  readonly outputs: number;
  readonly k: number;
  readonly own: number;
  readonly y: ClassTargets;
  readonly weights: Float64Array | undefined;
}

function fitCurve(scores: Float64Array, { outputs, k, own, y, weights }: CurveRows): { slope: number; offset: number } {
  let positive = 0;
  let negative = 0;
  const weightOf = (r: number) => weights?.[r] ?? 1;
  for (let r = 0; r < y.indices.length; r++) {
    if (y.indices[r] === own) positive += weightOf(r);
    else negative += weightOf(r);
  }
  const high = (positive + 1) / (positive + 2);
  const low = 1 / (negative + 2);
  const target = (r: number) => (y.indices[r] === own ? high : low);
  let slope = 0;
  let offset = Math.log((positive + 1) / (negative + 1));
  const lossAt = (a: number, b: number) => {
    let loss = 0;
    for (let r = 0; r < y.indices.length; r++) {
      const f = a * scores[r * outputs + k]! + b;
      loss += weightOf(r) * (Math.log1p(Math.exp(-Math.abs(f))) + (f > 0 ? (1 - target(r)) * f : -target(r) * f));
    }
    return loss;
  };
  let loss = lossAt(slope, offset);
  for (let iteration = 0; iteration < 50; iteration++) {
    let [gs, go, ss, so, oo] = [0, 0, 1e-12, 0, 1e-12];
    for (let r = 0; r < y.indices.length; r++) {
      const s = scores[r * outputs + k]!;
      const p = 1 / (1 + Math.exp(-(slope * s + offset)));
      const d = weightOf(r) * (p - target(r));
      const h = weightOf(r) * p * (1 - p);
      gs += d * s;
      go += d;
      ss += h * s * s;
      so += h * s;
      oo += h;
    }
    if (Math.abs(gs) + Math.abs(go) < 1e-6 * (positive + negative)) break;
    const determinant = ss * oo - so * so;
    const ds = (so * go - oo * gs) / determinant;
    const dc = (so * gs - ss * go) / determinant;
    let step = 1;
    let next = lossAt(slope + step * ds, offset + step * dc);
    while (!(next < loss) && step > 1e-8) {
      step /= 2;
      next = lossAt(slope + step * ds, offset + step * dc);
    }
    if (!(next < loss)) break;
    slope += step * ds;
    offset += step * dc;
    loss = next;
  }
  return { slope, offset };
}
