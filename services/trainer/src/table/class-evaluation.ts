/** Probabilities of exactly 0 would make the log-loss infinite. */
const leastProbability = 1e-15;

/** How well classes are predicted, summed as rows come. Keeps one number a row where there are two classes, for ROC-AUC. */
export class ClassEvaluation {
  readonly #classes: number;
  /** Per class: rows that are it and are predicted so, rows that are it, rows predicted so. The last place is for classes not learnt. */
  readonly #hits: Float64Array;
  readonly #actual: Float64Array;
  readonly #predicted: Float64Array;
  readonly #scores: number[][] = [[], []];
  #rows = 0;
  #loss = 0;

  constructor(classes: number) {
    this.#classes = classes;
    this.#hits = new Float64Array(classes + 1);
    this.#actual = new Float64Array(classes + 1);
    this.#predicted = new Float64Array(classes + 1);
  }

  /** `actual` is -1 for a class that was not learnt; `probabilities` are those of this row. */
  add(actual: number, predicted: number, probabilities: Float64Array): void {
    const place = actual < 0 ? this.#classes : actual;
    this.#rows += 1;
    this.#actual[place] = (this.#actual[place] as number) + 1;
    this.#predicted[predicted] = (this.#predicted[predicted] as number) + 1;
    if (place === predicted) this.#hits[place] = (this.#hits[place] as number) + 1;
    this.#loss -= Math.log(Math.max(probabilities[actual] ?? 0, leastProbability));
    if (this.#classes === 2) this.#scores[actual]?.push(probabilities[1] as number);
  }

  /** "accuracy", "macro_f1", "log_loss", and "roc_auc" for two classes that both occur, each with the prefix. */
  metrics(prefix = ""): Record<string, number> {
    const accuracy = this.#hits.reduce((sum, hits) => sum + hits, 0) / this.#rows;
    const area = this.#classes === 2 ? rocArea(this.#scores[0] ?? [], this.#scores[1] ?? []) : undefined;
    return {
      [`${prefix}accuracy`]: accuracy,
      [`${prefix}macro_f1`]: this.#macroF1(),
      [`${prefix}log_loss`]: this.#loss / this.#rows,
      ...(area !== undefined && { [`${prefix}roc_auc`]: area }),
    };
  }

  /** The mean of F1 over the classes that occur or are predicted. */
  #macroF1(): number {
    const scores: number[] = [];
    for (let c = 0; c <= this.#classes; c++) {
      const both = (this.#actual[c] as number) + (this.#predicted[c] as number);
      if (both > 0) scores.push((2 * (this.#hits[c] as number)) / both);
    }
    return scores.reduce((sum, score) => sum + score, 0) / scores.length;
  }
}

/** The chance that a positive row scores above a negative one, ties counting half (Mann–Whitney). */
function rocArea(negatives: readonly number[], positives: readonly number[]): number | undefined {
  if (negatives.length === 0 || positives.length === 0) return undefined;
  const below = Float64Array.from(negatives).sort();
  const above = Float64Array.from(positives).sort();
  let wins = 0;
  let less = 0;
  let upTo = 0;
  for (const score of above) {
    while (less < below.length && (below[less] as number) < score) less++;
    while (upTo < below.length && (below[upTo] as number) <= score) upTo++;
    wins += less + (upTo - less) / 2;
  }
  return wins / (below.length * above.length);
}
