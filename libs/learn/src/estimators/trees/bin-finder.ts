const cells = 1024;

/** Looks bins up among cuts: a grid of even cells over their range says where in them to search. */
export class BinFinder {
  readonly #cuts: Float32Array;
  readonly #missing: number;
  readonly #low: number;
  readonly #scale: number;
  /** For a cell the number of cuts before it; a value in the cell has its bin between this and the next entry. */
  readonly #starts: Uint16Array;

  /** `missing` is the bin of NaN. */
  constructor(cuts: Float32Array, missing: number) {
    this.#cuts = cuts;
    this.#missing = missing;
    this.#low = cuts[0] ?? 0;
    const range = (cuts.at(-1) ?? 0) - this.#low;
    this.#scale = range > 0 && Number.isFinite(cells / range) ? cells / range : 0;
    this.#starts = new Uint16Array(cells + 2).fill(cuts.length);
    let filled = 0;
    for (let b = 0; b < cuts.length; b++) {
      const cell = this.#cell(cuts[b]!);
      while (filled <= cell) this.#starts[filled++] = b;
    }
  }

  /** The first bin whose cut is not below the value. */
  find(value: number): number {
    if (Number.isNaN(value)) return this.#missing;
    const cell = this.#cell(value);
    let low = this.#starts[cell]!;
    let high = this.#starts[cell + 1]!;
    const cuts = this.#cuts;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cuts[middle]! < value) low = middle + 1;
      else high = middle;
    }
    // The grid's own rounding may put a value beside a cut into the neighbouring cell.
    while (low > 0 && cuts[low - 1]! >= value) low--;
    while (low < cuts.length && cuts[low]! < value) low++;
    return low;
  }

  #cell(value: number): number {
    const cell = (value - this.#low) * this.#scale;
    if (!(cell > 0)) return 0;
    return cell >= cells ? cells : cell | 0;
  }
}
