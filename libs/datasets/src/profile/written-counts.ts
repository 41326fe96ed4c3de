import { ValueCounts } from "./value-counts.ts";

/**
 * Counts of the cells of a column as they are written, beside the counts of its numbers by value, for a column that may turn out to be of texts: "+1", "1.0" and "1"
 * are three texts and one number. As long as every number is written as JavaScript writes it, both are the same and nothing is counted twice.
 * A column of so many different numbers that they are estimated, and no text, is taken for one of numbers; if a text comes yet, the numbers before it count towards
 * `undercount`, and how many texts differ is estimated by value.
 */
export class WrittenCounts {
  readonly #byValue: ValueCounts;
  #byText: ValueCounts | undefined;
  #hasTexts = false;
  #isLost = false;
  #missesNumbers = false;

  constructor(byValue: ValueCounts) {
    this.#byValue = byValue;
  }

  get counts(): ValueCounts {
    return this.#byText ?? this.#byValue;
  }

  get distinct(): { readonly count: number; readonly exact: boolean } {
    const { distinct, exact } = this.#missesNumbers ? this.#byValue : this.counts;
    return { count: distinct, exact };
  }

  /** Whether texts of numbers are asked for. */
  get isCounting(): boolean {
    return !this.#isLost;
  }

  /** To be called before the number is counted by value. `text`: as it is written, where a number is written otherwise than JavaScript writes it. */
  addNumber(value: number, text?: string): void {
    if (this.#isLost || (text === undefined && this.#byText === undefined)) return;
    if (!this.#hasTexts && !this.#byValue.exact) {
      this.#isLost = true;
      this.#byText = undefined;
      return;
    }
    this.#byText ??= new ValueCounts(this.#byValue);
    if (text === undefined) this.#byText.addNumber(value);
    else this.#byText.addText(text);
  }

  /** `numbers`: how many came before this text. */
  addText(text: string, numbers: number): void {
    this.#hasTexts = true;
    if (this.#isLost) {
      this.#byText = new ValueCounts();
      this.#byText.undercount = numbers;
      this.#isLost = false;
      this.#missesNumbers = true;
    }
    this.#byText?.addText(text);
  }
}
