/** Errors of a prediction over rows, summed as they come. */
export class Evaluation {
  #count = 0;
  #squared = 0;
  #absolute = 0;
  #mean = 0;
  /** Σ(y − ȳ)², by Welford's method. */
  #spread = 0;

  add(target: number, predicted: number): void {
    const error = predicted - target;
    this.#count += 1;
    this.#squared += error * error;
    this.#absolute += Math.abs(error);
    const delta = target - this.#mean;
    this.#mean += delta / this.#count;
    this.#spread += delta * (target - this.#mean);
  }

  /** Coefficient of determination; for a constant target 1 when every prediction is right, else 0. */
  get r2(): number {
    // A spread that is nearly nothing would make it infinite.
    if (this.#spread > 0) return Math.max(-Number.MAX_VALUE, 1 - this.#squared / this.#spread);
    return this.#squared === 0 ? 1 : 0;
  }

  get rmse(): number {
    return Math.sqrt(this.#squared / this.#count);
  }

  get mae(): number {
    return this.#absolute / this.#count;
  }

  /** "r2", "rmse", "mae", each with the prefix. */
  metrics(prefix = ""): Record<string, number> {
    return { [`${prefix}r2`]: this.r2, [`${prefix}rmse`]: this.rmse, [`${prefix}mae`]: this.mae };
  }
}
