import type { ClassificationDetailSchema } from "@aimass/api/trainer";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Calibration } from "./calibration.ts";
import { rocArea } from "./roc-area.ts";

type ClassificationDetail = Exclude<MessageInitShape<typeof ClassificationDetailSchema>, { $typeName: string }>;

/** Probabilities of exactly 0 would make the log-loss infinite. */
const leastProbability = 1e-15;
/** Scores kept for ROC-AUC: with more, every second or third … row is looked at. */
const mostScores = 2 ** 22;
const mostConfusedClasses = 100;

/** How well classes are told apart, summed as rows come. Keeps eight bytes for each probability, for ROC-AUC. */
export class ClassEvaluation {
  readonly #names: readonly string[];
  /** [actual × predicted]; the last place of both is for classes not learnt. */
  readonly #confusion: Float64Array;
  readonly #calibration = new Calibration();
  /** Probabilities of the rows looked at, one row after the other, and what those rows are. */
  readonly #scores: Float64Array;
  readonly #scored: Int32Array;
  readonly #stride: number;
  #rows = 0;
  #kept = 0;
  #probable = 0;
  #loss = 0;

  /** `rows` there will be about. */
  constructor(names: readonly string[], rows: number) {
    this.#names = names;
    this.#confusion = new Float64Array((names.length + 1) ** 2);
    this.#stride = Math.max(1, Math.ceil((rows * names.length) / mostScores));
    const kept = Math.ceil(rows / this.#stride);
    this.#scores = new Float64Array(kept * names.length);
    this.#scored = new Int32Array(kept);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Both are −1 for a class that was not learnt; `probabilities` are those of this row, where there are any. */
  add(actual: number, predicted: number, probabilities?: Float64Array): void {
    const size = this.#names.length;
    const cell = (actual < 0 ? size : actual) * (size + 1) + (predicted < 0 ? size : predicted);
    this.#confusion[cell] = (this.#confusion[cell] as number) + 1;
    this.#rows += 1;
    if (probabilities === undefined) return;
    this.#probable += 1;
    this.#loss -= Math.log(Math.max(probabilities[actual] ?? 0, leastProbability));
    this.#calibration.add(probabilities[predicted] ?? 0, actual >= 0 && actual === predicted);
    if (this.#rows % this.#stride !== 0 || this.#kept === this.#scored.length) return;
    this.#scores.set(probabilities, this.#kept * this.#names.length);
    this.#scored[this.#kept++] = actual;
  }

  /** "accuracy", "macro_f1"; with probabilities "log_loss" and "roc_auc" (of more than two classes the mean of each against the rest). None without rows. */
  metrics(): Record<string, number> {
    if (this.#rows === 0) return {};
    const metrics: Record<string, number> = { accuracy: this.accuracy(), macro_f1: this.#macroF1() };
    if (this.#probable === 0) return metrics;
    metrics.log_loss = this.#loss / this.#probable;
    const area = this.#area();
    if (area !== undefined) metrics.roc_auc = area;
    return metrics;
  }

  detail(): ClassificationDetail {
    const size = this.#names.length;
    const known = Array.from({ length: size }, (_, c) => c);
    const confused = size > mostConfusedClasses ? [] : known;
    return {
      classes: [...this.#names],
      confusion: confused.flatMap((a) => confused.map((p) => BigInt(this.#at(a, p)))),
      scores: known.map((c) => this.#scoreOf(c)),
      calibration: this.#probable === 0 ? [] : this.#calibration.bins(),
      calibrationError: this.#calibration.error(),
      unknownRows: BigInt(this.#actual(size)),
    };
  }

  #at(actual: number, predicted: number): number {
    return this.#confusion[actual * (this.#names.length + 1) + predicted] as number;
  }

  #actual(c: number): number {
    let sum = 0;
    for (let p = 0; p <= this.#names.length; p++) sum += this.#at(c, p);
    return sum;
  }

  #predicted(c: number): number {
    let sum = 0;
    for (let a = 0; a <= this.#names.length; a++) sum += this.#at(a, c);
    return sum;
  }

  accuracy(): number {
    let hits = 0;
    for (let c = 0; c < this.#names.length; c++) hits += this.#at(c, c);
    return hits / this.#rows;
  }

  #f1(c: number): number {
    const both = this.#actual(c) + this.#predicted(c);
    const hits = c === this.#names.length ? 0 : this.#at(c, c);
    return both === 0 ? 0 : (2 * hits) / both;
  }

  /** The mean of F1 over the classes that occur or are predicted. */
  #macroF1(): number {
    const occurring = Array.from({ length: this.#names.length + 1 }, (_, c) => c).filter(
      (c) => this.#actual(c) + this.#predicted(c) > 0,
    );
    return occurring.reduce((sum, c) => sum + this.#f1(c), 0) / occurring.length;
  }

  #areaOf(c: number): number | undefined {
    const [own, others]: [number[], number[]] = [[], []];
    for (let row = 0; row < this.#kept; row++) {
      (this.#scored[row] === c ? own : others).push(this.#scores[row * this.#names.length + c] as number);
    }
    return rocArea(others, own);
  }

  #area(): number | undefined {
    if (this.#names.length === 2) return this.#areaOf(1);
    const areas = this.#names.map((_, c) => this.#areaOf(c)).filter((area) => area !== undefined);
    return areas.length === 0 ? undefined : areas.reduce((sum, area) => sum + area, 0) / areas.length;
  }

  #scoreOf(c: number): NonNullable<ClassificationDetail["scores"]>[number] {
    const [hits, actual, predicted] = [this.#at(c, c), this.#actual(c), this.#predicted(c)];
    const area = this.#areaOf(c);
    return {
      label: this.#names[c] as string,
      precision: predicted === 0 ? 0 : hits / predicted,
      recall: actual === 0 ? 0 : hits / actual,
      f1: this.#f1(c),
      ...(area !== undefined && { rocAuc: area }),
      rows: BigInt(actual),
    };
  }
}
