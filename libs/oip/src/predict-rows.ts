import { AimassError } from "@aimass/core";
import { Cells } from "./cell-meaning.ts";
import { parseDatatype, quoted } from "./datatype.ts";
import type { ElementSink } from "./element-sink.ts";
import { fitShape } from "./fit-shape.ts";
import type { JsonRange, JsonReader } from "./json-reader.ts";
import { mismatch } from "./predict-columns.ts";
import type { Means } from "./predict-means.ts";
import { readNested, sinkFor } from "./read-values.ts";
import type { SignatureView, TensorSpecView } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/** A column of the rows: an input of the model as it fills. */
interface Column {
  readonly spec: TensorSpecView;
  readonly sink: ElementSink;
  /** Lengths of the further axes as declared; -1 is any. */
  readonly inner: readonly number[];
  /** Lengths of the further axes of every row; undefined before a row has told. */
  shape: readonly number[] | undefined;
  /** The last row it has a cell of; -1: none yet. */
  lastRow: number;
  /** The first row that left it to its default; undefined: none. */
  firstGap: number | undefined;
}

/** Keys of a row that are remembered for the next. */
const mostKnown = 20_000;

/** Where a key of the row before stood, and which column it is: rows mostly name the same columns in the same order. */
interface KnownKey {
  readonly key: JsonRange;
  readonly column: Column | undefined;
}

/**
 * Reads a list of objects, each a row: one element, or one list of the further axes' shape, for each input. Whether a row may leave a column out depends on
 * no other row: a gap is NaN or "", and an error where the data type has neither. Columns that are no inputs are passed over.
 */
export function readRows(means: Means): Tensor[] {
  const { reader, signature } = means;
  const columns = signature.inputs.map((spec) => newColumn(spec, means));
  const byName = new Map(columns.map((column) => [column.spec.name, column]));
  const known: KnownKey[] = [];
  let rows = 0;
  reader.enter("list");
  for (; reader.more("list", rows === 0); rows++) {
    if (reader.kind() !== "object") {
      throw badRow(rows, `is a ${reader.kind()} among rows that are objects`, "Send all rows alike.");
    }
    readRow(means, { columns, byName, known, row: rows });
  }
  return columns.flatMap((column) => tensorOf(column, rows));
}

interface RowState {
  readonly columns: readonly Column[];
  readonly byName: ReadonlyMap<string, Column>;
  readonly known: KnownKey[];
  readonly row: number;
}

function readRow(means: Means, { columns, byName, known, row }: RowState): void {
  const { reader, signature, passedOver } = means;
  let hasInput = false;
  let place = 0;
  reader.enter("object");
  for (; reader.more("object", place === 0); place++) {
    const key = reader.key();
    const before = known[place];
    let column = before?.column;
    if (before === undefined || !isSame(reader.bytes, key, before.key)) {
      const name = reader.text(key);
      column = byName.get(name);
      if (place < mostKnown) known[place] = { key, column };
      if (column === undefined) passedOver.add(name);
    }
    if (column === undefined) reader.skip();
    else {
      if (column.lastRow === row)
        throw badRow(row, `names ${quoted(column.spec.name)} twice`, "Name every column once.");
      readCell(reader, column, row);
      hasInput = true;
    }
  }
  if (!hasInput && columns.some(({ spec }) => spec.optional !== true)) throw noColumn(signature, row);
  for (const column of columns) if (column.lastRow < row) leaveOut(column, row);
}

function readCell(reader: JsonReader, column: Column, row: number): void {
  if (reader.kind() === "null" && (column.spec.optional === true || size(column.inner) !== 1)) {
    reader.null();
    leaveOut(column, row);
    return;
  }
  const given = readNested(reader, column.sink, placeOf(column.spec, row));
  const shape = fitShape(given, column.inner) ?? given;
  if (column.shape !== undefined && String(shape) !== String(column.shape)) {
    throw badRow(
      row,
      `has ${quoted(column.spec.name)} of shape [${shape}], and rows before it [${column.shape}]`,
      "Nest all rows alike, or send rows of different shapes one by one.",
    );
  }
  column.shape = shape;
  column.lastRow = row;
}

/** A column that a row leaves out. An optional one that no row names is left to its default. */
function leaveOut(column: Column, row: number): void {
  const { spec, sink, inner } = column;
  if (spec.optional === true) {
    column.firstGap ??= row;
    return;
  }
  const count = size(inner);
  if (count < 0) throw missing(spec, row, `has no value, and its shape [${inner}] cannot be told`);
  for (let i = 0; i < count; i++) sink.putGap();
  column.lastRow = row;
}

function tensorOf(column: Column, rows: number): Tensor[] {
  const { spec, sink, inner, firstGap, lastRow } = column;
  if (spec.optional === true && lastRow < 0) return [];
  if (firstGap !== undefined) throw missing(spec, firstGap, "has no value, and other rows have one");
  const isScalar = spec.shape.length === 0;
  const shape = isScalar && rows === 1 ? [] : [rows, ...(column.shape ?? inner)];
  return [{ name: spec.name, datatype: sink.datatype, shape, bytes: sink.finish() }];
}

function newColumn(spec: TensorSpecView, { budget }: Means): Column {
  const datatype = parseDatatype(spec.datatype, spec.name);
  const inner = spec.shape.slice(1).map(Number);
  const column: { shape: readonly number[] | undefined } = { shape: undefined };
  const place = (index: number) => {
    const row = Math.floor(index / Math.max(1, Math.abs(size(column.shape ?? inner))));
    return { subject: `${placeOf(spec, row)}, which is ${datatype},`, field: `inputs[${row}].${spec.name}` };
  };
  const cells = spec.cells === undefined ? ("any" as const) : new Cells(spec.cells);
  const sink = sinkFor(datatype, { place, budget, cells, capacity: 16 });
  return Object.assign(column, { spec, sink, inner, lastRow: -1, firstGap: undefined });
}

/** Elements of a shape; negative when an axis may have any length. */
function size(shape: readonly number[]): number {
  return shape.some((axis) => axis < 0) ? -1 : shape.reduce((product, axis) => product * axis, 1);
}

/** Rows count from 1, as those of a dataset do. */
function placeOf({ name }: TensorSpecView, row: number): string {
  return `Row ${row + 1}, column ${quoted(name)}`;
}

function isSame(bytes: Uint8Array, a: JsonRange, b: JsonRange): boolean {
  const length = a.end - a.start;
  if (length !== b.end - b.start) return false;
  for (let i = 0; i < length; i++) if (bytes[a.start + i] !== bytes[b.start + i]) return false;
  return true;
}

function noColumn(signature: SignatureView, row: number): AimassError {
  const [only] = signature.inputs;
  const isMatrix = signature.inputs.length === 1 && (only?.shape.length ?? 0) > 1 && Number(only?.shape[1]) !== 1;
  const error = mismatch(signature, `finds none of its inputs in row ${row + 1}`);
  if (!isMatrix) return error;
  return new AimassError("INVALID_ARGUMENT", error.message, {
    reason: "SIGNATURE_MISMATCH",
    remedy: `${error.remedy} Its columns have no names: send each row as a list of their values.`,
  });
}

function missing(spec: TensorSpecView, row: number, what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${placeOf(spec, row)}, ${what}.`, {
    reason: "MISSING_VALUE",
    field: `inputs[${row}].${spec.name}`,
    remedy: "Give every row of the request a value, or send the rows one by one.",
  });
}

function badRow(row: number, what: string, remedy: string): AimassError {
  const message = `Row ${row + 1} ${what}.`;
  return new AimassError("INVALID_ARGUMENT", message, { reason: "BAD_ROW", field: `inputs[${row}]`, remedy });
}
