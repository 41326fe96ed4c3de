import type { Pacer } from "../../pacer.ts";
import type { ClassTargets } from "../../targets.ts";
import type { RowPasses } from "../row-passes.ts";
import type { Calibration } from "./linear-classifier.ts";
import { ProductPasses } from "./products.ts";

/** A linear model whose scores are no log-odds yet. */
interface ScoredModel {
  /** [cols × outputs] */
  readonly weights: Float64Array;
  readonly intercepts: Float64Array;
  /** Sum of weights of each class. */
  readonly sums: Float64Array;
  readonly pacer: Pacer;
}

const maxPasses = 100;

/**
 * Probabilities for scores that are no log-odds (Platt 1999, with the targets and Newton's method of Lin, Lin and Weng 2007): per output the logistic
 * curve that fits the scores of the training rows best. Curves of all outputs are fitted side by side, a pass over the rows for each step.
 */
export async function calibrate(passes: RowPasses<ClassTargets>, model: ScoredModel): Promise<Calibration> {
  const outputs = model.intercepts.length;
  const total = model.sums.reduce((all, sum) => all + sum, 0);
  const curves = Array.from({ length: outputs }, (_, k) => {
    const own = outputs === 1 ? 1 : k;
    return new Curve(own, model.sums[own]!, total - model.sums[own]!);
  });
  const scores = new ScorePasses(passes, model);
  for (let pass = 0; pass < maxPasses && curves.some((curve) => !curve.done); pass++) {
    await scores.each((batch) => {
      for (const [k, curve] of curves.entries()) if (!curve.done) curve.measure(batch, k, outputs);
    });
    for (const curve of curves) curve.move();
  }
  return {
    slopes: Float64Array.from(curves, (curve) => curve.slope),
    offsets: Float64Array.from(curves, (curve) => curve.offset),
  };
}

interface ScoredRows {
  /** [rows × outputs] */
  readonly scores: Float64Array;
  readonly indices: Int32Array;
  readonly weights: Float64Array | undefined;
}

/** p = 1 / (1 + exp(−(slope · score + offset))), on its way to the curve of least loss. */
class Curve {
  slope = 0;
  offset: number;
  done = false;
  readonly #own: number;
  readonly #high: number;
  readonly #low: number;
  readonly #total: number;
  /** The best curve so far, the way from it to the one that is measured, and how much of that is gone. */
  #best = { slope: 0, offset: 0, loss: Number.POSITIVE_INFINITY };
  #way = { slope: 0, offset: 0 };
  #step = 1;
  #loss = 0;
  /** First and second derivatives by slope s and offset o. */
  #derivatives = { s: 0, o: 0, ss: 0, so: 0, oo: 0 };

  constructor(own: number, positive: number, negative: number) {
    this.#own = own;
    this.#total = positive + negative;
    this.#high = (positive + 1) / (positive + 2);
    this.#low = 1 / (negative + 2);
    this.offset = Math.log((positive + 1) / (negative + 1));
  }

  /** Adds the loss of rows and its derivatives. */
  measure({ scores, indices, weights }: ScoredRows, k: number, outputs: number): void {
    const { slope, offset } = this;
    let [loss, s, o, ss, so, oo] = [0, 0, 0, 0, 0, 0];
    for (let r = 0; r < indices.length; r++) {
      const score = scores[r * outputs + k]!;
      const f = slope * score + offset;
      const target = indices[r] === this.#own ? this.#high : this.#low;
      const weight = weights === undefined ? 1 : weights[r]!;
      const e = Math.exp(f > 0 ? -f : f);
      const p = f > 0 ? 1 / (1 + e) : e / (1 + e);
      loss += weight * (Math.log1p(e) + (f > 0 ? (1 - target) * f : -target * f));
      const d = weight * (p - target);
      const h = weight * p * (1 - p);
      s += d * score;
      o += d;
      ss += h * score * score;
      so += h * score;
      oo += h;
    }
    const sum = this.#derivatives;
    this.#loss += loss;
    this.#derivatives = { s: sum.s + s, o: sum.o + o, ss: sum.ss + ss, so: sum.so + so, oo: sum.oo + oo };
  }

  /** Goes on from what was measured: by a whole step of Newton's when the loss fell, else by half of the last one. */
  move(): void {
    if (this.done) return;
    if (this.#loss < this.#best.loss) {
      this.#best = { slope: this.slope, offset: this.offset, loss: this.#loss };
      const { s, o, ss, so, oo } = this.#derivatives;
      this.done = Math.abs(s) + Math.abs(o) < 1e-6 * this.#total;
      const determinant = (ss + 1e-12) * (oo + 1e-12) - so * so;
      this.#way = {
        slope: (so * o - (oo + 1e-12) * s) / determinant,
        offset: (so * s - (ss + 1e-12) * o) / determinant,
      };
      this.#step = 1;
    } else {
      this.#step /= 2;
      this.done = this.#step < 1e-8;
    }
    const by = this.done ? 0 : this.#step;
    this.slope = this.#best.slope + by * this.#way.slope;
    this.offset = this.#best.offset + by * this.#way.offset;
    this.#loss = 0;
    this.#derivatives = { s: 0, o: 0, ss: 0, so: 0, oo: 0 };
  }
}

/** Scores that are kept rather than worked out again. */
const mostKept = 2 ** 22;

/** Scores of all rows, again and again. */
class ScorePasses {
  readonly #passes: RowPasses<ClassTargets>;
  readonly #model: ScoredModel;
  readonly #products: ProductPasses<ClassTargets>;
  readonly #kept: ScoredRows[] = [];

  constructor(passes: RowPasses<ClassTargets>, model: ScoredModel) {
    this.#passes = passes;
    this.#model = model;
    this.#products = new ProductPasses(passes, model.intercepts.length, model.pacer);
  }

  async each(work: (rows: ScoredRows) => void): Promise<void> {
    const { intercepts, pacer } = this.#model;
    const outputs = intercepts.length;
    for (const rows of this.#kept) {
      work(rows);
      if (pacer.due) await pacer.breathe();
    }
    if (this.#kept.length > 0) return;
    const keep = this.#passes.rows * outputs <= mostKept;
    await this.#products.each(this.#model.weights, (scores, { y, weights }, from, to) => {
      for (let i = 0; i < scores.length; i += outputs) {
        for (let k = 0; k < outputs; k++) scores[i + k]! += intercepts[k]!;
      }
      const [indices, own] = [y.indices.slice(from, to), weights?.slice(from, to)];
      // The scores of the next block take the place of these.
      const rows = { scores: keep ? scores.slice() : scores, indices, weights: own };
      if (keep) this.#kept.push(rows);
      work(rows);
    });
  }
}
