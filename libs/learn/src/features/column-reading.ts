import { timeOfIso } from "@aimass/core";
import type { Batch, ColumnData } from "./columns.ts";

/** How a column whose input is FP64 becomes numbers. */
export type ColumnReading =
  | ShiftedReading
  /** ISO 8601 texts: days, or seconds, since 1970-01-01 (UTC where they name no offset). */
  | { readonly kind: "date" }
  | { readonly kind: "datetime" };

/** Numbers: (value − offset) / unit in FP64, and FP32 only then. `unit` is a power of two. */
export interface ShiftedReading {
  readonly kind: "shifted";
  readonly offset: number;
  readonly unit: number;
}

/** A column and how its cells become the numbers of the graph's input; as they are unless given. */
export interface ReadColumn {
  readonly name: string;
  readonly reading?: ColumnReading;
}

/** A batch whose columns are read as a plan says. */
export function readColumns(batch: Batch, columns: readonly ReadColumn[]): Batch {
  if (columns.every(({ reading }) => reading === undefined)) return batch;
  const read = new Map(batch.columns);
  for (const { name, reading } of columns) {
    const column = batch.columns.get(name);
    if (reading === undefined || column === undefined) continue;
    read.set(name, { type: "number", values: valuesOf(column, reading) });
  }
  return { ...batch, columns: read };
}

function valuesOf(column: ColumnData, reading: ColumnReading): Float64Array {
  if (reading.kind === "shifted") {
    const { offset, unit } = reading;
    return Float64Array.from(column.values as Float64Array, (value) => (value - offset) / unit);
  }
  const moment = momentReader(reading.kind);
  return Float64Array.from(column.values as readonly (string | undefined)[], moment);
}

/** Reads texts of a kind as the graph's input has them; NaN for what is none. */
export function momentReader(kind: "date" | "datetime"): (text: string | undefined) => number {
  const milliseconds = kind === "date" ? 86_400_000 : 1000;
  const scale = (time: number) => (kind === "date" ? Math.floor(time / milliseconds) : time / milliseconds);
  return (text) => (text === undefined ? Number.NaN : scale(timeOfIso(text)));
}

/** Figures of a column of numbers. */
export interface NumberFigures {
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  readonly standardDeviation: number;
  readonly integers: boolean;
}

/** Steps of FP32 that a column's deviation has at least, so that rounding is no more than noise. */
const fewestSteps = 1024;
/** FP32 holds all whole numbers up to this. */
const mostWhole = 2 ** 24;
/** Between these FP32 has its whole precision, with room for what serving brings. */
const range = { least: 2 ** -100, most: 2 ** 100 } as const;

/**
 * How a column of numbers is read so that FP32 keeps its values apart; undefined where plain FP32 does. Moments in milliseconds, long numbers and prices in the
 * smallest coin lie so far from 0, beside how far they lie from each other, that FP32 makes one of many.
 */
export function shiftFor(figures: NumberFigures): ShiftedReading | undefined {
  const { minimum, maximum, standardDeviation, integers } = figures;
  const reach = Math.max(Math.abs(minimum), Math.abs(maximum));
  const span = maximum - minimum;
  if (!Number.isFinite(span) || span <= 0) return undefined;
  const step = 2 ** (Math.floor(Math.log2(reach)) - 23);
  const isCoarse = standardDeviation < fewestSteps * step || (integers && reach > mostWhole);
  const isShifted = isCoarse && span <= reach / 2;
  const isOutside = span < range.least || (reach > range.most && isLarge(figures));
  if (!isShifted && !isOutside) return undefined;
  const middle = minimum + span / 2;
  const offset = isShifted ? (integers ? Math.round(middle) : middle) : 0;
  return { kind: "shifted", offset, unit: isOutside ? 2 ** Math.floor(Math.log2(span)) : 1 };
}

/** Whether most values are large, not a few among small ones, which FP32 takes for missing. */
function isLarge({ minimum, maximum, mean, standardDeviation }: NumberFigures): boolean {
  return (minimum < -range.most && maximum > range.most) || standardDeviation <= 2 * Math.abs(mean);
}
