import type { DenseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { Random } from "../../random.ts";
import { sortFloats } from "./radix-sort.ts";

/** The bin of a missing cell. */
export const missingBin = 255;

/** Bins of one feature in a histogram: 255 for values and one for missing ones. */
export const binCount = 256;

/** Rows that cuts are chosen from. */
const sampleRows = 100_000;

/**
 * Rows with each feature cut into at most 255 bins of about as many rows, feature by feature: the bin of row r is `bins[feature * rows + r]`. A value is in
 * the first bin whose cut is not below it, so "bin ≤ b" is "value ≤ cuts[b]", exactly, in FP32.
 */
export interface BinnedMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly bins: Uint8Array;
  readonly cuts: readonly Float32Array[];
}

export async function binMatrix(
  x: DenseMatrix,
  { random, pacer, shared = false }: { random: Random; pacer: Pacer; shared?: boolean },
): Promise<BinnedMatrix> {
  const { rows, cols } = x;
  const sample = sampleOf(rows, random);
  const cuts: Float32Array[] = [];
  const column = new Float32Array(sample.length);
  for (let j = 0; j < cols; j++) {
    let count = 0;
    for (let i = 0; i < sample.length; i++) {
      const value = x.data[sample[i]! * cols + j]!;
      if (!Number.isNaN(value)) column[count++] = value;
    }
    const values = column.subarray(0, count);
    sortFloats(values);
    cuts.push(chooseCuts(values));
    if (pacer.due) await pacer.breathe();
  }
  const bins = new Uint8Array(shared ? new SharedArrayBuffer(rows * cols) : new ArrayBuffer(rows * cols));
  const blockRows = Math.max(16, Math.floor(16_384 / cols));
  const finders = cuts.map((cut) => new BinFinder(cut));
  for (let from = 0; from < rows; from += blockRows) {
    const to = Math.min(rows, from + blockRows);
    for (let j = 0; j < cols; j++) {
      const finder = finders[j]!;
      for (let r = from, at = j * rows + from; r < to; r++, at++) bins[at] = finder.find(x.data[r * cols + j]!);
    }
    if (pacer.due) await pacer.breathe();
  }
  return { rows, cols, bins, cuts };
}

/** Every row, or as many of them as cuts are chosen from. */
function sampleOf(rows: number, random: Random): Int32Array {
  if (rows <= sampleRows) return Int32Array.from({ length: rows }, (_, r) => r);
  return Int32Array.from({ length: sampleRows }, (_, i) => {
    const [from, to] = [Math.floor((i * rows) / sampleRows), Math.floor(((i + 1) * rows) / sampleRows)];
    return from + random.below(to - from);
  });
}

/** Cuts half-way between neighbouring values: all of them when there are at most 255 different ones, else at quantiles. */
export function chooseCuts(sorted: Float32Array): Float32Array {
  const n = sorted.length;
  const most = missingBin - 1;
  const cuts: number[] = [];
  for (let i = 1; i < n && cuts.length <= most; i++) {
    if (sorted[i]! > sorted[i - 1]!) cuts.push(between(sorted[i - 1]!, sorted[i]!));
  }
  if (cuts.length <= most) return Float32Array.from(cuts);
  cuts.length = 0;
  for (let k = 1; k <= most; k++) {
    let i = Math.floor((k * n) / (most + 1));
    // A run of equal values is cut at its end, so that a frequent value has a bin of its own.
    while (i < n && i > 0 && sorted[i] === sorted[i - 1]) i++;
    if (i >= n) break;
    const cut = between(sorted[i - 1]!, sorted[i]!);
    if (cuts.length === 0 || cut > cuts.at(-1)!) cuts.push(cut);
  }
  return Float32Array.from(cuts);
}

/** A number of FP32 that is ≥ low and < high. */
function between(low: number, high: number): number {
  const middle = Math.fround(low + (high - low) / 2);
  return middle >= low && middle < high ? middle : low;
}

/** Looks bins up: a grid of even cells over the range of the cuts says where in them to search. */
class BinFinder {
  readonly #cuts: Float32Array;
  readonly #low: number;
  readonly #scale: number;
  /** For a cell the number of cuts before it; a value in the cell has its bin between this and the next entry. */
  readonly #starts: Uint8Array;

  constructor(cuts: Float32Array) {
    const cells = 1024;
    this.#cuts = cuts;
    this.#low = cuts[0] ?? 0;
    const range = (cuts.at(-1) ?? 0) - this.#low;
    this.#scale = range > 0 && Number.isFinite(cells / range) ? cells / range : 0;
    this.#starts = new Uint8Array(cells + 2).fill(cuts.length);
    for (let b = cuts.length - 1; b >= 0; b--) this.#starts.fill(b, 0, this.#cell(cuts[b]!) + 1);
  }

  find(value: number): number {
    if (Number.isNaN(value)) return missingBin;
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
    return cell >= 1024 ? 1024 : cell | 0;
  }
}
