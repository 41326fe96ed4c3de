import type { ClassLabels } from "@aimass/learn";
import type { Answer } from "./answer.ts";
import { quantile } from "./regression-evaluation.ts";

/** What a model said of the held-out rows, to compare what it says when it is served with. Keeps eight bytes a row. */
export class PredictionBaseline {
  readonly #labels: readonly string[];
  readonly #counts: number[];
  readonly #values: number[] = [];

  constructor(labels: ClassLabels | undefined) {
    this.#labels = (labels?.values ?? []).map(String);
    this.#counts = this.#labels.map(() => 0);
  }

  add(answer: Answer): void {
    if (answer.kind === "numbers") {
      for (let row = 0; row < answer.values.length; row++) this.#values.push(answer.values[row] as number);
      return;
    }
    const width = this.#labels.length;
    for (const [row, index] of answer.indices.entries()) {
      if (index >= 0) this.#counts[index] = (this.#counts[index] as number) + 1;
      const own = answer.probabilities?.[row * width + index];
      if (own !== undefined) this.#values.push(own);
    }
  }

  /** Plain JSON: mean, deviation and quantiles at 0, 5, …, 100 % of the numbers, or of the probabilities of the predicted classes; of classes how often each was predicted. */
  toJson(): object {
    const sorted = Float64Array.from(this.#values).sort();
    const count = sorted.length;
    const mean = sorted.reduce((sum, value) => sum + value, 0) / Math.max(1, count);
    const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count);
    const quantiles = count === 0 ? [] : Array.from({ length: 21 }, (_, i) => quantile(sorted, i / 20));
    const numbers = { count, mean, deviation: Math.sqrt(variance), quantiles };
    if (this.#labels.length === 0) return { kind: "number", ...numbers };
    return { kind: "classes", classes: this.#labels.map((label, i) => [label, this.#counts[i]]), probability: numbers };
  }
}
