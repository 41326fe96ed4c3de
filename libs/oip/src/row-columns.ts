import { AimassError } from "@aimass/core";
import { Cells } from "./cell-meaning.ts";
import { parseDatatype, quoted } from "./datatype.ts";
import type { ElementSink } from "./element-sink.ts";
import { fitShape } from "./fit-shape.ts";
import type { JsonReader } from "./json-reader.ts";
import type { Means } from "./predict-means.ts";
import { readNested, sinkFor } from "./read-values.ts";
import type { TensorSpecView } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/** A column of the rows: an input of the model as it fills. */
export interface Column {
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

/** Takes in the cell of a row: an element, or a list of the further axes' shape. */
export function readCell(reader: JsonReader, column: Column, row: number): void {
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
export function leaveOut(column: Column, row: number): void {
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

/** The column as a tensor; none where no row names an optional input. */
export function tensorOf(column: Column, rows: number): Tensor[] {
  const { spec, sink, inner, firstGap, lastRow } = column;
  if (spec.optional === true && lastRow < 0) return [];
  if (firstGap !== undefined) throw missing(spec, firstGap, "has no value, and other rows have one");
  const isScalar = spec.shape.length === 0;
  const shape = isScalar && rows === 1 ? [] : [rows, ...(column.shape ?? inner)];
  return [{ name: spec.name, datatype: sink.datatype, shape, bytes: sink.finish() }];
}

/** The columns of a table, one for each input of the model. */
export function newColumns(means: Pick<Means, "signature" | "budget">): Column[] {
  return means.signature.inputs.map((spec) => newColumn(spec, means));
}

function newColumn(spec: TensorSpecView, { budget }: Pick<Means, "budget">): Column {
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

function missing(spec: TensorSpecView, row: number, what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${placeOf(spec, row)}, ${what}.`, {
    reason: "MISSING_VALUE",
    field: `inputs[${row}].${spec.name}`,
    remedy: "Give every row of the request a value, or send the rows one by one.",
  });
}

/** The refusal of a row, counted from 0. */
export function badRow(row: number, what: string, remedy: string): AimassError {
  const message = `Row ${row + 1} ${what}.`;
  return new AimassError("INVALID_ARGUMENT", message, { reason: "BAD_ROW", field: `inputs[${row}]`, remedy });
}
