import type { Pacer } from "../../pacer.ts";
import type { ClassTargets } from "../../targets.ts";
import type { RowPasses } from "../row-passes.ts";
import type { Calibration } from "./linear-classifier.ts";
import { ProductPasses } from "./products.ts";

/** Rows and a linear model that was fitted without them. */
export interface HeldRows {
  readonly passes: RowPasses<ClassTargets>;
  /** [cols × outputs] */
  readonly weights: Float64Array;
  readonly intercepts: Float64Array;
}

const maxPasses = 100;

/**
 * Probabilities for scores that are no log-odds (Platt 1999, with the targets and Newton's method of Lin, Lin and Weng 2007): per output the logistic
 * curve that fits the scores of rows best which the model did not learn from. Of rows it did learn from the scores of wide data are far too sure. Curves
 * of all outputs are fitted side by side, a pass over the rows for each step. `sums`: of the weights of each class.
 */
export async function calibrate(
  held: readonly HeldRows[],
  { sums, pacer }: { sums: Float64Array; pacer: Pacer },
): Promise<Calibration> {
  const outputs = held[0]!.intercepts.length;
  const total = sums.reduce((all, sum) => all + sum, 0);
  const curves = Array.from({ length: outputs }, (_, k) => {
    const own = outputs === 1 ? 1 : k;
    return new Curve(own, sums[own]!, total - sums[own]!);
  });
  const scores = held.map((rows) => new ScorePasses(rows, { parts: held.length, pacer }));
  for (let pass = 0; pass < maxPasses && curves.some((curve) => !curve.done); pass++) {
    for (const part of scores) {
      await part.each((batch) => {
        for (const [k, curve] of curves.entries()) if (!curve.done) curve.measure(batch, k, outputs);
      });
    }
    for (const curve of curves) curve.move();
  }
  const found = curves.map((curve) => curve.found());
  return {
    slopes: Float64Array.from(found, ({ slope }) => slope),
    offsets: Float64Array.from(found, ({ offset }) => offset),
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
  /** The log-odds without any score. */
  readonly #prior: number;
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
    this.#prior = Math.log((positive + 1) / (negative + 1));
    this.offset = this.#prior;
  }

  /** Scores that tell nothing of new rows, or the wrong way round, leave what is known without them. */
  found(): { slope: number; offset: number } {
    return this.slope > 0 ? { slope: this.slope, offset: this.offset } : { slope: 0, offset: this.#prior };
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

/** Scores of all rows that count, again and again. */
class ScorePasses {
  readonly #held: HeldRows;
  readonly #products: ProductPasses<ClassTargets>;
  readonly #pacer: Pacer;
  readonly #keeps: boolean;
  readonly #kept: ScoredRows[] = [];

  /** `parts`: among so many the scores that may be kept are shared. */
  constructor(held: HeldRows, { parts, pacer }: { parts: number; pacer: Pacer }) {
    const outputs = held.intercepts.length;
    this.#held = held;
    this.#pacer = pacer;
    this.#products = new ProductPasses(held.passes, outputs, pacer);
    this.#keeps = held.passes.rows * outputs * parts <= mostKept;
  }

  async each(work: (rows: ScoredRows) => void): Promise<void> {
    for (const rows of this.#kept) {
      work(rows);
      if (this.#pacer.due) await this.#pacer.breathe();
    }
    if (this.#kept.length > 0) return;
    const { intercepts, weights: model } = this.#held;
    const outputs = intercepts.length;
    await this.#products.each(model, (scores, { y, weights }, from, to) => {
      for (let i = 0; i < scores.length; i += outputs) {
        for (let k = 0; k < outputs; k++) scores[i + k]! += intercepts[k]!;
      }
      const rows = { scores, indices: y.indices.subarray(from, to), weights: weights?.subarray(from, to) };
      // The scores of the next block take the place of these.
      const own = this.#keeps ? counting(rows, outputs) : rows;
      if (this.#keeps) this.#kept.push(own);
      work(own);
    });
  }
}

/** A copy of the rows whose weight is not 0. */
function counting({ scores, indices, weights }: ScoredRows, outputs: number): ScoredRows {
  if (weights === undefined) return { scores: scores.slice(), indices: indices.slice(), weights };
  const rows = Uint32Array.from(weights.keys()).filter((r) => weights[r]! > 0);
  const own = new Float64Array(rows.length * outputs);
  for (const [at, r] of rows.entries()) own.set(scores.subarray(r * outputs, (r + 1) * outputs), at * outputs);
  return {
    scores: own,
    indices: Int32Array.from(rows, (r) => indices[r]!),
    weights: Float64Array.from(rows, (r) => weights[r]!),
  };
}
