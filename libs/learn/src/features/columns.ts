import { AimassError } from "@aimass/core";

/** An image as decoded: `width * height` pixels of three bytes (red, green, blue), row by row from the top left. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** One column of a batch, as datasets are read, but with images decoded (see `decodeImages`). */
export type ColumnData =
  /** NaN is missing. */
  | { readonly type: "number"; readonly values: Float64Array }
  | { readonly type: "string"; readonly values: readonly (string | undefined)[] }
  /** 0 is false, 1 is true, 2 is missing. */
  | { readonly type: "boolean"; readonly values: Uint8Array }
  | { readonly type: "image"; readonly values: readonly (RgbImage | undefined)[] };

export type ColumnType = ColumnData["type"];

/** Some rows of a table. */
export interface Batch {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, ColumnData>;
  /** Index of the batch's first row in its dataset, from 0 (the default): messages count rows from 1. */
  readonly firstRow?: number;
}

/**
 * Numbers of a number or boolean column (true is 1, false 0), rounded to FP32. This is the one place where training data lose precision, and
 * they lose what a served FP32 input loses. A value FP32 cannot hold, and infinity, is NaN: missing, as it is in the graph.
 */
export function numbersOf(batch: Batch, name: string): Float32Array {
  const column = columnOf(batch, name);
  if (column.type === "number") return finite(Float32Array.from(column.values));
  if (column.type !== "boolean") throw wrongType(name, column.type, "numbers");
  return Float32Array.from(column.values, (value) => (value > 1 ? Number.NaN : value));
}

/**
 * Strings of a string column as the graph gets them: missing is "", lone surrogates are U+FFFD, and the string ends before its first NUL (ONNX
 * Runtime's binding hands strings over as C strings).
 */
export function stringsOf(batch: Batch, name: string): string[] {
  const column = columnOf(batch, name);
  if (column.type !== "string") throw wrongType(name, column.type, "strings");
  return Array.from(column.values, (value, row) => {
    if (value === undefined) return "";
    if (typeof value !== "string") throw wrongCell(batch, name, row, "is not a string");
    return servedString(value);
  });
}

/** A string as it arrives in the graph. */
export function servedString(value: string): string {
  const end = value.indexOf("\0");
  return (end === -1 ? value : value.slice(0, end)).toWellFormed();
}

/** Images of an image column; every row must have one. */
export function imagesOf(batch: Batch, name: string): RgbImage[] {
  const column = columnOf(batch, name);
  if (column.type !== "image") throw wrongType(name, column.type, "images");
  return Array.from(column.values, (image, row) => {
    if (image === undefined) throw wrongCell(batch, name, row, "has no image", "Leave the row out.");
    const { width, height, rgb } = image;
    if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
      throw wrongCell(batch, name, row, `has an image of ${width} × ${height} pixels`);
    }
    if (rgb.length === width * height * 3) return image;
    throw wrongCell(
      batch,
      name,
      row,
      `has ${rgb.length} bytes for ${width} × ${height} pixels`,
      `Three bytes a pixel make ${width * height * 3}.`,
    );
  });
}

/** A column with a value for each row. Throws INVALID_ARGUMENT. */
export function columnOf(batch: Batch, name: string): ColumnData {
  const column = batch.columns.get(name);
  if (column === undefined) {
    throw new AimassError("INVALID_ARGUMENT", `The data have no column "${name}".`, {
      field: name,
      remedy: `The columns are ${[...batch.columns.keys()].map((key) => `"${key}"`).join(", ") || "none"}.`,
    });
  }
  if (column.values.length !== batch.rows) {
    throw new AimassError(
      "INVALID_ARGUMENT",
      `Column "${name}" has ${column.values.length} values in a batch of ${batch.rows} rows.`,
      { field: name },
    );
  }
  return column;
}

function finite(values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) values[i] = Number.NaN;
  return values;
}

function wrongType(name: string, found: ColumnType, wanted: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `Column "${name}" holds ${found} values where ${wanted} are needed.`, {
    field: name,
    remedy:
      "Choose a feature for that type of column, or declare the column's type when the dataset is pushed (--type NAME=string).",
  });
}

function wrongCell(batch: Batch, name: string, row: number, what: string, remedy?: string): AimassError {
  const at = (batch.firstRow ?? 0) + row + 1;
  return new AimassError("INVALID_ARGUMENT", `Column "${name}", row ${at}, ${what}.`, {
    field: `${name}[${at}]`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
