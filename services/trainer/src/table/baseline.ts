const binCount = 20;

/** Mean, spread, range and a histogram of one column. */
class ColumnBaseline {
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #bins = new Array<number>(binCount).fill(0);
  #count = 0;
  #mean = 0;
  #spread = 0;

  constructor(minimum: number, maximum: number) {
    this.#minimum = minimum;
    this.#maximum = maximum;
  }

  add(value: number): void {
    this.#count += 1;
    const delta = value - this.#mean;
    this.#mean += delta / this.#count;
    this.#spread += delta * (value - this.#mean);
    const width = this.#maximum - this.#minimum;
    const bin = width > 0 ? Math.floor(((value - this.#minimum) / width) * binCount) : 0;
    const place = Math.min(binCount - 1, Math.max(0, bin));
    this.#bins[place] = (this.#bins[place] as number) + 1;
  }

  toJSON(): object {
    const deviation = this.#count === 0 ? 0 : Math.sqrt(this.#spread / this.#count);
    return { mean: this.#mean, deviation, minimum: this.#minimum, maximum: this.#maximum, bins: this.#bins };
  }
}

/** The range of a column, as the dataset's schema has it. */
export interface ColumnRange {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
}

/**
 * What the features looked like in training, so that drift can be told later: per column mean, standard deviation, and 20 equal bins between minimum and
 * maximum of the whole dataset.
 */
export class FeatureBaseline {
  readonly #columns: readonly ColumnBaseline[];
  readonly #ranges: readonly ColumnRange[];
  #rows = 0;

  constructor(ranges: readonly ColumnRange[]) {
    this.#ranges = ranges;
    this.#columns = ranges.map((range) => new ColumnBaseline(range.minimum, range.maximum));
  }

  add(values: Float64Array): void {
    this.#rows += 1;
    for (let j = 0; j < this.#columns.length; j++) (this.#columns[j] as ColumnBaseline).add(values[j] as number);
  }

  toJson(): string {
    const features = Object.fromEntries(this.#ranges.map((range, j) => [range.name, this.#columns[j]]));
    return JSON.stringify({ rows: this.#rows, features });
  }
}
