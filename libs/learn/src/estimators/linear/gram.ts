import type { Matrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { NumericTargets } from "../../targets.ts";
import type { RowPasses } from "../row-passes.ts";
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

/** Collects rows into blocks: their cells less the guess, the target less its guess, and 1; all scaled by the root of the weight. */
class ShiftedRows {
  readonly sums: GramSums;
  readonly #cols: number;
  #shift: Float64Array | undefined;
  #targetShift = 0;
  #waiting = 0;

  constructor(cols: number) {
    this.#cols = cols;
    this.sums = new GramSums(cols + 2);
  }

  /** `data` has the rows from `start` on. */
  add(data: Float32Array, start: number, block: Block): void {
    const { y, weights, from, to } = block;
    this.#shift ??= this.#guess(data, start, block);
    for (let r = from, at = start; r < to; r++, at += this.#cols) {
      const root = weights === undefined ? 1 : Math.sqrt(weights[r]!);
      this.#write(data, at, y.values[r]!, root);
      if (++this.#waiting === this.sums.blockRows) this.#flush();
    }
  }

  finish(): Gram {
    if (this.#waiting > 0) this.#flush();
    const { sums } = this;
    const cols = this.#cols;
    const total = sums.sumOf(cols + 1, cols + 1);
    const offset = (j: number) => sums.sumOf(j, cols + 1) / total;
    const offsets = Float64Array.from({ length: cols + 1 }, (_, j) => offset(j));
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
      means: this.#shift!.map((shift, j) => shift + offsets[j]!),
      targetMean: this.#targetShift + offsets[cols]!,
      targetSquares: sums.sumOf(cols, cols) - total * offsets[cols]! ** 2,
      total,
    };
  }

  #guess(data: Float32Array, start: number, { y, weights, from, to }: Block): Float64Array {
    const means = new Float64Array(this.#cols);
    let total = 0;
    for (let r = from, i = start; r < to; r++) {
      const weight = weights === undefined ? 1 : weights[r]!;
      for (let j = 0; j < means.length; j++, i++) means[j]! += data[i]! * weight;
      this.#targetShift += y.values[r]! * weight;
      total += weight;
    }
    this.#targetShift /= total || 1;
    return means.map((sum) => sum / (total || 1));
  }

  #write(data: Float32Array, start: number, target: number, root: number): void {
    const { block, panelStep } = this.sums;
    const shift = this.#shift!;
    const cols = this.#cols;
    let at = this.sums.positionOf(this.#waiting);
    let i = start;
    const whole = cols & ~3;
    for (let j = 0; j < whole; j += 4, i += 4, at += panelStep) {
      block[at] = (data[i]! - shift[j]!) * root;
      block[at + 2] = (data[i + 1]! - shift[j + 1]!) * root;
      block[at + 4] = (data[i + 2]! - shift[j + 2]!) * root;
      block[at + 6] = (data[i + 3]! - shift[j + 3]!) * root;
    }
    const put = (j: number, value: number) => {
      block[at + ((j - whole) >> 2) * panelStep + (j & 3) * 2] = value * root;
    };
    for (let j = whole; j < cols; j++, i++) put(j, data[i]! - shift[j]!);
    put(cols, target - this.#targetShift);
    put(cols + 1, 1);
  }

  #flush(): void {
    this.sums.multiply(this.#waiting);
    this.#waiting = 0;
  }
}
