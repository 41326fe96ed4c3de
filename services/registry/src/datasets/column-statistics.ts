/** Cells that say "there is no value here", in any case. */
const missingWords: ReadonlySet<string> = new Set(["", "na", "n/a", "nan", "null", "none"]);
const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** What is known of a column of numbers. */
export interface NumberStatistics {
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
}

/** Looks at the cells of one column in turn. */
export class ColumnStatistics {
  #count = 0;
  #missing = 0;
  #numeric = true;
  #minimum = Number.POSITIVE_INFINITY;
  #maximum = Number.NEGATIVE_INFINITY;
  #mean = 0;

  add(cell: string): void {
    const text = cell.trim();
    if (missingWords.has(text.toLowerCase())) {
      this.#missing += 1;
      return;
    }
    if (!this.#numeric) return;
    const value = numberPattern.test(text) ? Number(text) : Number.NaN;
    if (Number.isFinite(value)) this.#addNumber(value);
    else this.#numeric = false;
  }

  /** `numbers` is absent for a column of text, and for one without any value. */
  result(): { readonly missing: number; readonly numbers: NumberStatistics | undefined } {
    const numbers = { minimum: this.#minimum, maximum: this.#maximum, mean: this.#mean };
    return { missing: this.#missing, numbers: this.#numeric && this.#count > 0 ? numbers : undefined };
  }

  /** Welford's running mean: sums of many rows would lose digits. */
  #addNumber(value: number): void {
    this.#count += 1;
    this.#mean += (value - this.#mean) / this.#count;
    this.#minimum = Math.min(this.#minimum, value);
    this.#maximum = Math.max(this.#maximum, value);
  }
}
