import type { DenseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { Random } from "../../random.ts";
import type { Targets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";
import { toDense } from "../training-rows.ts";
import { BinFinder } from "./bin-finder.ts";
import { chooseCuts } from "./cuts.ts";
import { sortFloats } from "./radix-sort.ts";

/** The bin of a missing cell where bins are bytes. */
export const missingBin = 255;

/** The bin of a missing cell where bins are words of 16 bits. */
export const missingWord = 65_535;

/** Bins of one feature in a histogram of bytes: 255 for values and one for missing ones. */
export const binCount = 256;

/** Rows that cuts are chosen from. */
const sampleRows = 100_000;

/** For each feature the cuts between its bins, ascending. */
export type Cuts = readonly Float32Array[];

/**
 * Rows with each feature cut into bins, feature by feature: the bin of row r is `bins[feature * rows + r]`. A value is in the first bin whose cut is not below
 * it, so "bin ≤ b" is "value ≤ cuts[b]", exactly, in FP32.
 */
export interface BinnedMatrix<Bins extends Uint8Array | Uint16Array = Uint8Array> {
  readonly rows: number;
  readonly cols: number;
  readonly bins: Bins;
  readonly cuts: Cuts;
}

/**
 * The first pass: cuts between bins of about as many rows, from every row or from 100 000 of them, evenly drawn. `missing` is the bin of missing cells, one
 * more than a value can have; `tolerances`: see FitOptions. `inspect` sees every batch and the position of its first row.
 */
export async function learnCuts<Y extends Targets>(
  rows: RowPasses<Y>,
  o: {
    random: Random;
    pacer: Pacer;
    missing: number;
    tolerances?: Float32Array | undefined;
    inspect?: (batch: WeighedBatch<Y>, from: number) => void;
  },
): Promise<Cuts> {
  const places = sampleOf(rows.rows, o.random);
  const count = places.length;
  const sample = new Float32Array(count * rows.cols);
  let taken = 0;
  let from = 0;
  for await (const batch of rows.pass()) {
    o.inspect?.(batch, from);
    taken = copySample(toDense(batch.x), from, places, taken, sample);
    from += batch.x.rows;
    if (o.pacer.due) await o.pacer.breathe();
  }
  const cuts: Float32Array[] = [];
  for (let j = 0; j < rows.cols; j++) {
    const present = moveMissingBack(sample.subarray(j * count, (j + 1) * count));
    sortFloats(present);
    cuts.push(chooseCuts(present, o.missing - 1, o.tolerances?.[j]));
    if (o.pacer.due) await o.pacer.breathe();
  }
  return cuts;
}

/** The second pass: the bin of every cell, into `bins` [cols × rows]. */
export async function binRows<Bins extends Uint8Array | Uint16Array>(
  rows: RowPasses<Targets>,
  o: { pacer: Pacer; cuts: Cuts; missing: number; bins: Bins },
): Promise<BinnedMatrix<Bins>> {
  const finders = o.cuts.map((cut) => new BinFinder(cut, o.missing));
  const blockRows = Math.max(16, Math.floor(16_384 / rows.cols));
  let from = 0;
  for await (const batch of rows.pass()) {
    const x = toDense(batch.x);
    for (let first = 0; first < x.rows; first += blockRows) {
      const last = Math.min(x.rows, first + blockRows);
      for (let j = 0; j < rows.cols; j++) binColumn(x, j, first, last, finders[j]!, o.bins, j * rows.rows + from);
      if (o.pacer.due) await o.pacer.breathe();
    }
    from += x.rows;
  }
  return { rows: rows.rows, cols: rows.cols, bins: o.bins, cuts: o.cuts };
}

/** The bins of some rows of a column; that of row 0 of the batch is bins[base]. */
function binColumn(
  x: DenseMatrix,
  column: number,
  first: number,
  last: number,
  finder: BinFinder,
  bins: Uint8Array | Uint16Array,
  base: number,
): void {
  const { data, cols } = x;
  for (let r = first; r < last; r++) bins[base + r] = finder.find(data[r * cols + column]!);
}

/** Every row, or as many of them as cuts are chosen from; ascending. */
function sampleOf(rows: number, random: Random): Int32Array {
  if (rows <= sampleRows) return Int32Array.from({ length: rows }, (_, r) => r);
  return Int32Array.from({ length: sampleRows }, (_, i) => {
    const [from, to] = [Math.floor((i * rows) / sampleRows), Math.floor(((i + 1) * rows) / sampleRows)];
    return from + random.below(to - from);
  });
}

/** Copies the rows at places[taken…] that the batch has into `sample` [cols × places]; returns how many are taken then. */
function copySample(
  { data, rows, cols }: DenseMatrix,
  from: number,
  places: Int32Array,
  taken: number,
  sample: Float32Array,
): number {
  let first = taken;
  while (first < places.length && places[first]! < from + rows) {
    let last = first;
    while (last < places.length && last < first + 128 && places[last]! < from + rows) last++;
    for (let j = 0; j < cols; j++) {
      const base = j * places.length;
      for (let i = first; i < last; i++) sample[base + i] = data[(places[i]! - from) * cols + j]!;
    }
    first = last;
  }
  return first;
}

/** The values that are not NaN, moved to the front. */
function moveMissingBack(values: Float32Array): Float32Array {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i]!)) values[count++] = values[i]!;
  return values.subarray(0, count);
}
