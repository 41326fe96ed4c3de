import type { Estimator, FitOptions, RowStream } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { NumericTargets } from "../../targets.ts";
import { numericRows, type RowPasses } from "../row-passes.ts";
import { GramSums } from "./gram-sums.ts";

/** Products of centred columns: all that least squares needs to know of the rows. */
export interface Gram {
  readonly cols: number;
  /** Σᵣ wᵣ (xᵣᵢ − x̄ᵢ)(xᵣⱼ − x̄ⱼ), [cols × cols], both halves. */
  readonly products: Float64Array;
  /** Σᵣ wᵣ (xᵣⱼ − x̄ⱼ)(yᵣ − ȳ) */
  readonly withTarget: Float64Array;
  readonly means: Float64Array;
  readonly targetMean: number;
  /** Σᵣ wᵣ (yᵣ − ȳ)² */
  readonly targetSquares: number;
  /** Σᵣ wᵣ */
  readonly total: number;
}

/**
 * Of all columns of dense rows, or of those chosen. Reads all rows once. Memory quadratic in the columns; time rows × cols² / 2.
 *
 * Rows are centred around a guess, the mean of the first few, and the sums are corrected at the end. What that takes of their digits is bounded, because
 * a guess that is far off means that the column spreads: n rows that begin as badly as they can lose log₁₀(n / 64) of 16 digits.
 */
export async function centredGram(
  passes: RowPasses<NumericTargets>,
  pacer: Pacer,
  columns?: Uint32Array,
): Promise<Gram> {
  const rows = new ShiftedRows(columns?.length ?? passes.cols);
  const chosen = columns === undefined ? undefined : new ChosenColumns(columns, passes.cols);
  await passes.eachBlock(rows.sums.blockRows, pacer, ({ x, y, weights }, from, to) => {
    if (chosen !== undefined) rows.add(chosen.take(x, from, to), 0, { y, weights, from, to });
    else if (x.kind === "dense") rows.add(x.data, from * x.cols, { y, weights, from, to });
  });
  return rows.finish();
}

/** Products of all columns of dense rows. Sums that are no numbers tell of a cell that is none; only then are cells looked at one by one. */
export async function checkedGram(
  estimator: Pick<Estimator, "name" | "missing">,
  rows: RowStream,
  options: FitOptions,
  pacer: Pacer,
): Promise<Gram> {
  const gram = await centredGram(numericRows(estimator, rows, options, "unchecked"), pacer);
  if (!gram.means.every(Number.isFinite)) {
    for await (const _ of numericRows(estimator, rows, options).pass()) if (pacer.due) await pacer.breathe();
  }
  return gram;
}

interface Block {
  readonly y: NumericTargets;
  readonly weights: Float64Array | undefined;
  readonly from: number;
  readonly to: number;
}

/** Some of the columns of rows, written out. */
class ChosenColumns {
  readonly #columns: Uint32Array;
  /** Of every column its place among the chosen ones, or −1. */
  readonly #places: Int32Array;
  #rows = new Float32Array(0);

  constructor(columns: Uint32Array, cols: number) {
    this.#columns = columns;
    this.#places = new Int32Array(cols).fill(-1);
    columns.forEach((column, place) => {
      this.#places[column] = place;
    });
  }

  take(x: Matrix, from: number, to: number): Float32Array {
    const count = this.#columns.length;
    if (this.#rows.length < (to - from) * count) this.#rows = new Float32Array((to - from) * count);
    const rows = this.#rows;
    if (x.kind === "sparse") rows.fill(0);
    for (let r = from, start = 0; r < to; r++, start += count) {
      if (x.kind === "dense") {
        for (let k = 0; k < count; k++) rows[start + k] = x.data[r * x.cols + this.#columns[k]!]!;
        continue;
      }
      for (let i = x.offsets[r]!; i < x.offsets[r + 1]!; i++) {
        const place = this.#places[x.columns[i]!]!;
        if (place >= 0) rows[start + place] = x.values[i]!;
      }
    }
    return rows;
  }
}

/** Collects rows into blocks: their cells and the target less guesses, scaled by the root of the weight. */
class ShiftedRows {
  readonly sums: GramSums;
  readonly #cols: number;
  #targetShift: number | undefined;
  #waiting = 0;

  constructor(cols: number) {
    this.#cols = cols;
    this.sums = new GramSums(cols);
  }

  /** `data` has the rows from `start` on, no more than make a block. */
  add(data: Float32Array, start: number, block: Block): void {
    this.#targetShift ??= this.#guess(data, start, block);
    const targetShift = this.#targetShift;
    const { sums } = this;
    const { y, weights, to } = block;
    const cols = this.#cols;
    for (let from = block.from, at = start; from < to; ) {
      const count = Math.min(to - from, sums.blockRows - this.#waiting);
      sums.cells.set(data.subarray(at, at + count * cols), this.#waiting * cols);
      for (let r = from, waiting = this.#waiting; r < from + count; r++, waiting++) {
        sums.targets[waiting] = y.values[r]! - targetShift;
        sums.factors[waiting] = weights === undefined ? 1 : Math.sqrt(weights[r]!);
      }
      this.#waiting += count;
      from += count;
      at += count * cols;
      if (this.#waiting === sums.blockRows) this.#flush();
    }
  }

  finish(): Gram {
    if (this.#waiting > 0) this.#flush();
    const { sums } = this;
    const cols = this.#cols;
    const total = sums.sumOf(cols + 1, cols + 1);
    const offsets = Float64Array.from({ length: cols + 1 }, (_, j) => sums.sumOf(j, cols + 1) / total);
    const products = new Float64Array(cols * cols);
    const withTarget = new Float64Array(cols);
    for (let i = 0; i < cols; i++) {
      const moved = total * offsets[i]!;
      for (let j = i; j < cols; j++) {
        products[i * cols + j] = products[j * cols + i] = sums.sumOf(i, j) - moved * offsets[j]!;
      }
      withTarget[i] = sums.sumOf(i, cols) - moved * offsets[cols]!;
    }
    return {
      cols,
      products,
      withTarget,
      means: sums.shift.map((shift, j) => shift + offsets[j]!),
      targetMean: (this.#targetShift ?? 0) + offsets[cols]!,
      targetSquares: sums.sumOf(cols, cols) - total * offsets[cols]! ** 2,
      total,
    };
  }

  /** Takes the means of the first rows for those of all; returns that of the target. */
  #guess(data: Float32Array, start: number, { y, weights, from, to }: Block): number {
    const { shift } = this.sums;
    let total = 0;
    let target = 0;
    for (let r = from, i = start; r < to; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      for (let j = 0; j < shift.length; j++, i++) shift[j]! += data[i]! * weight;
      target += y.values[r]! * weight;
      total += weight;
    }
    for (let j = 0; j < shift.length; j++) shift[j]! /= total || 1;
    return target / (total || 1);
  }

  #flush(): void {
    this.sums.add(this.#waiting);
    this.#waiting = 0;
  }
}
