import { type BinnedMatrix, missingWord } from "./binned-matrix.ts";
import { type CountedFeature, mostRanges, type SortedFeature } from "./forest-node.ts";

/** Nodes of at most as many rows are sorted by insertion, and at all. */
const fewRows = 24;
const rowsSorted = 256;

/** Reads a feature of a node's rows: sorted where rows are few, to be counted in ranges where they are many. Keeps its memory. */
export class FeatureRanks {
  readonly #binned: BinnedMatrix<Uint16Array>;
  readonly #ranks: Uint16Array;
  readonly #keys = new Uint32Array(rowsSorted);

  constructor(binned: BinnedMatrix<Uint16Array>) {
    this.#binned = binned;
    this.#ranks = new Uint16Array(binned.rows);
  }

  /** The feature of order[from..to); undefined when all rows have the same. */
  read(feature: number, order: Int32Array, from: number, to: number): SortedFeature | CountedFeature | undefined {
    const { rows: height, bins } = this.#binned;
    const base = feature * height;
    const ranks = this.#ranks;
    let low = missingWord;
    let high = 0;
    for (let i = from; i < to; i++) {
      const rank = bins[base + order[i]!]!;
      ranks[i - from] = rank;
      if (rank < low) low = rank;
      if (rank > high) high = rank;
    }
    if (low === high) return undefined;
    const rows = to - from;
    return rows <= rowsSorted ? this.#sorted(rows, high) : this.#counted(rows, low, high);
  }

  /**
   * A counted feature again, rank by rank in the two ranges beside a border that was found in it: a border anywhere in them is then seen. Ranks outside count
   * to the ends.
   */
  zoom(
    feature: number,
    { present, shift }: CountedFeature,
    border: number,
    order: Int32Array,
    from: number,
    to: number,
  ): CountedFeature {
    const { rows: height, bins } = this.#binned;
    const base = feature * height;
    const ranks = this.#ranks;
    const low = Math.max(0, border - (1 << shift));
    const high = Math.min(missingWord - 1, border + (1 << shift) + 1);
    for (let i = from; i < to; i++) {
      const rank = bins[base + order[i]!]!;
      ranks[i - from] = rank === missingWord ? missingWord : Math.min(Math.max(rank, low), high);
    }
    return { kind: "counted", ranks, rows: to - from, present, low, shift: 0, ranges: high - low + 1 };
  }

  #sorted(rows: number, high: number): SortedFeature {
    const ranks = this.#ranks;
    const keys = this.#keys;
    if (rows <= fewRows) insertKeys(ranks, keys, rows);
    else {
      for (let i = 0; i < rows; i++) keys[i] = ((ranks[i]! << 16) | i) >>> 0;
      keys.subarray(0, rows).sort();
    }
    let present = rows;
    if (high === missingWord) while (keys[present - 1]! >>> 16 === missingWord) present--;
    return { kind: "sorted", keys, rows, present };
  }

  #counted(rows: number, low: number, high: number): CountedFeature {
    const ranks = this.#ranks;
    let present = rows;
    let top = high;
    if (high === missingWord) {
      top = low;
      for (let i = 0; i < rows; i++) {
        const rank = ranks[i]!;
        if (rank === missingWord) present--;
        else if (rank > top) top = rank;
      }
    }
    // About as many ranges as rows: coarser ones would make the trees of a forest too alike.
    const bits = Math.min(Math.log2(mostRanges), 31 - Math.clz32(rows));
    const shift = Math.max(0, 32 - Math.clz32(top - low) - bits);
    return { kind: "counted", ranks, rows, present, low, shift, ranges: ((top - low) >> shift) + 1 };
  }
}

function insertKeys(ranks: Uint16Array, keys: Uint32Array, rows: number): void {
  for (let i = 0; i < rows; i++) {
    const key = ((ranks[i]! << 16) | i) >>> 0;
    let at = i;
    while (at > 0 && keys[at - 1]! > key) {
      keys[at] = keys[at - 1]!;
      at--;
    }
    keys[at] = key;
  }
}
