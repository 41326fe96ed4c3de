import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AimassError } from "@aimass/core";
import { CsvError, parse } from "csv-parse";
import { createSplitter, type Split } from "./split.ts";
import type { NumberRow, TrainingTable } from "./training-table.ts";

/** Where rows come from, and which columns matter. */
export interface CsvSource {
  /** The dataset's bytes, from the start at each call. */
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly features: readonly string[];
  readonly target: string;
  readonly split: Split;
}

/** A row and the part it is in. */
export interface PlacedRow extends NumberRow {
  readonly heldOut: boolean;
}

const longestRowBytes = 16 * 1024 * 1024;

/** All rows of a CSV dataset as numbers, in file order, in constant memory. Errors: as TrainingTable, and DATA_LOSS when there are more or fewer rows than planned. */
export async function* readCsvRows(source: CsvSource, signal: AbortSignal): AsyncIterable<PlacedRow> {
  const { features, split } = source;
  const isHeldOut = createSplitter(split);
  const expected = split.trainRows + split.testRows;
  const values = new Float64Array(features.length);
  let indices: number[] | undefined;
  let row = 0;
  for await (const record of csvRecords(source.open(signal), signal)) {
    if (indices === undefined) {
      indices = columnIndices(record, [...features, source.target]);
      continue;
    }
    row += 1;
    if (row > expected) break;
    for (let j = 0; j < features.length; j++) {
      values[j] = Math.fround(numberAt(record, indices[j] as number, row, features[j] as string));
    }
    const target = numberAt(record, indices[features.length] as number, row, source.target);
    yield { values, target, heldOut: isHeldOut() };
  }
  if (row !== expected) {
    throw new AimassError(
      "DATA_LOSS",
      `The dataset has ${row > expected ? "more than" : "only"} ${Math.min(row, expected)} rows; ${expected} are recorded.`,
    );
  }
}

/** The rows of one part. */
export function csvPart(source: CsvSource, part: "train" | "test"): TrainingTable {
  const wanted = part === "test";
  return {
    features: source.features,
    target: source.target,
    rowCount: wanted ? source.split.testRows : source.split.trainRows,
    async *rows(signal) {
      for await (const row of readCsvRows(source, signal)) if (row.heldOut === wanted) yield row;
    },
  };
}

async function* csvRecords(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<string[]> {
  const parser = parse({ bom: true, skip_empty_lines: true, max_record_size: longestRowBytes });
  // The pipeline ends the parser with the source's error, which the iteration below then throws.
  const feeding = pipeline(Readable.from(bytes, { objectMode: true, highWaterMark: 2 }), parser, { signal });
  feeding.catch(() => {});
  try {
    for await (const record of parser) yield record as string[];
    await feeding;
  } catch (error) {
    throw error instanceof CsvError ? malformed(error) : error;
  }
}

function malformed(error: CsvError): AimassError {
  const { records, column } = error as unknown as { records?: number; column?: number };
  const row = records === undefined ? "" : ` in row ${records}`;
  const where = typeof column === "number" ? `, column ${column + 1}` : "";
  return new AimassError("INVALID_ARGUMENT", `The CSV is malformed${row}${where}: ${error.message}`, {
    field: "spec.dataset",
    remedy: "Every row needs the columns of the header; quotes are doubled inside quoted cells.",
  });
}

function columnIndices(header: readonly string[], names: readonly string[]): number[] {
  return names.map((name) => {
    const index = header.findIndex((cell) => cell.trim() === name);
    if (index >= 0) return index;
    throw new AimassError("INVALID_ARGUMENT", `The dataset's header has no column "${name}".`, {
      field: "spec.features",
    });
  });
}

const plainNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function numberAt(record: readonly string[], index: number, row: number, column: string): number {
  const text = (record[index] ?? "").trim();
  const value = plainNumber.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(Math.fround(value))) return value;
  const found = text === "" ? "is empty" : `has "${text.slice(0, 40)}", which is not a finite number`;
  throw new AimassError("INVALID_ARGUMENT", `Row ${row}, column "${column}" ${found}.`, {
    reason: "BAD_CELL",
    field: column,
    remedy: "Correct the cell, or leave the column or the row out of the dataset.",
  });
}
