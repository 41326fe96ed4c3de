import type { ClassLabels } from "@aimass/learn";
import type { Tensor } from "onnxruntime-node";
import type { Answer } from "./answer.ts";
import { isNumber, shapes, unfit } from "./model-fit.ts";

/** Sums of probabilities may be off by this much, as sums of FP32 are. */
const tolerance = 1e-3;

/** Reads a classification from a model's outputs: scores where there are any, else labels. */
export class ClassScores {
  readonly #labels: readonly string[];
  /** Per class the model scores its place among the trained ones, −1 for another. */
  readonly #places: Int32Array;
  /** Whether scores are probabilities already; told from the first rows that could tell. */
  #areProbabilities = true;

  constructor(classes: ClassLabels, scored: readonly string[]) {
    this.#labels = classes.values.map(String);
    this.#places = Int32Array.from(scored, (name) => this.#labels.indexOf(name));
  }

  read(outputs: ReadonlyMap<string, Tensor>, rows: number): Answer {
    const all = [...outputs.values()];
    const scores = all.find(({ type, size }) => isFloat(type) && size === rows * this.#places.length);
    if (scores !== undefined)
      return this.#fromScores(Float64Array.from(scores.data as ArrayLike<number>, Number), rows);
    const second = this.#places.length === 2 ? all.find(({ type, size }) => isFloat(type) && size === rows) : undefined;
    if (second !== undefined) return this.#fromScores(bothOf(second.data as ArrayLike<number>), rows);
    const labels = all.find(
      ({ type, size }) => (type === "string" || isNumber(type) || type === "bool") && size === rows,
    );
    if (labels !== undefined) return this.#fromLabels(labels, rows);
    throw unfit(
      `No output of the model has ${this.#places.length} scores or a label for each of ${rows} rows: ${shapes(outputs)}.`,
    );
  }

  #fromLabels({ data, type }: Tensor, rows: number): Answer {
    const asText = (value: unknown) => (type === "bool" ? String(Number(value) === 1) : String(value));
    const indices = Int32Array.from({ length: rows }, (_, row) =>
      this.#labels.indexOf(asText((data as ArrayLike<unknown>)[row])),
    );
    return { kind: "classes", indices };
  }

  #fromScores(scores: Float64Array, rows: number): Answer {
    const width = this.#places.length;
    const known = this.#labels.length;
    const indices = new Int32Array(rows);
    const probabilities = new Float64Array(rows * known);
    for (let row = 0; row < rows; row++) {
      const own = scores.subarray(row * width, (row + 1) * width);
      indices[row] = this.#places[highest(own)] as number;
      this.#areProbabilities &&= sumToOne(own);
      const shares = this.#areProbabilities ? own : softmax(own);
      for (const [place, share] of shares.entries()) {
        const at = this.#places[place] as number;
        if (at >= 0) probabilities[row * known + at] = share;
      }
    }
    return { kind: "classes", indices, probabilities };
  }
}

function isFloat(type: string): boolean {
  return type === "float32" || type === "float64" || type === "float16";
}

/** One score of two classes: the second one's probability, or log-odds. */
function bothOf(second: ArrayLike<number>): Float64Array {
  const values = Array.from(second, Number);
  const areShares = !values.some((value) => value < 0 || value > 1);
  return Float64Array.from(values.flatMap((value) => (areShares ? [1 - value, value] : [-value / 2, value / 2])));
}

function sumToOne(scores: Float64Array): boolean {
  let sum = 0;
  for (const score of scores) {
    // A row with a gap may have no scores; it does not tell.
    if (Number.isNaN(score)) return true;
    if (!(score >= -tolerance && score <= 1 + tolerance)) return false;
    sum += score;
  }
  return Math.abs(sum - 1) <= tolerance;
}

function highest(scores: Float64Array): number {
  let best = 0;
  for (let c = 1; c < scores.length; c++) if ((scores[c] as number) > (scores[best] as number)) best = c;
  return best;
}

function softmax(scores: Float64Array): Float64Array {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
