import type { ImageReference } from "./images/image-reference.ts";
import type { ColumnType } from "./schema.ts";

/** Stands for "no value" among a boolean column's bytes. */
export const missingBoolean = 2;

/** The values of one column in one batch; `values.length` is the batch's row count. */
export type ColumnData =
  /** NaN is "no value". */
  | { readonly type: "number"; readonly values: Float64Array }
  | { readonly type: "string"; readonly values: readonly (string | undefined)[] }
  /** 0 is false, 1 is true, `missingBoolean` is "no value". */
  | { readonly type: "boolean"; readonly values: Uint8Array }
  | { readonly type: "image"; readonly values: readonly ImageReference[] };

/** Some rows of a table, column by column. The receiver owns it. */
export interface Batch {
  readonly rows: number;
  /** Index of the first row in the file, from 0. */
  readonly firstRow: number;
  /** By name, in the file's order. */
  readonly columns: ReadonlyMap<string, ColumnData>;
}

/** The number, string, boolean or image of a row; undefined when it has none. */
export function valueAt(column: ColumnData, row: number): number | string | boolean | ImageReference | undefined {
  switch (column.type) {
    case "number": {
      const value = column.values[row] as number;
      return Number.isNaN(value) ? undefined : value;
    }
    case "boolean": {
      const value = column.values[row];
      return value === missingBoolean ? undefined : value === 1;
    }
    default:
      return column.values[row];
  }
}

/** Values of a column's rows `rows`, in that order. */
export function takeRows(column: ColumnData, rows: Uint32Array): ColumnData {
  switch (column.type) {
    case "number":
      return { type: "number", values: gather(column.values, rows, new Float64Array(rows.length)) };
    case "boolean":
      return { type: "boolean", values: gather(column.values, rows, new Uint8Array(rows.length)) };
    case "string":
      return { type: "string", values: Array.from(rows, (row) => column.values[row]) };
    case "image":
      return { type: "image", values: Array.from(rows, (row) => column.values[row] as ImageReference) };
  }
}

function gather<T extends Float64Array | Uint8Array>(from: T, rows: Uint32Array, to: T): T {
  for (let i = 0; i < rows.length; i++) to[i] = from[rows[i] as number] as number;
  return to;
}

/** Collects the values of one column of a batch under way. */
export class ColumnBuilder {
  readonly type: ColumnType;
  readonly numbers: Float64Array;
  readonly booleans: Uint8Array;
  readonly strings: (string | undefined)[];

  constructor(type: ColumnType, rows: number) {
    this.type = type;
    this.numbers = type === "number" ? new Float64Array(rows).fill(Number.NaN) : new Float64Array(0);
    this.booleans = type === "boolean" ? new Uint8Array(rows).fill(missingBoolean) : new Uint8Array(0);
    this.strings = type === "string" ? new Array<string | undefined>(rows).fill(undefined) : [];
  }

  /** The first `rows` values. */
  finish(rows: number): ColumnData {
    if (this.type === "number") return { type: "number", values: shortened(this.numbers, rows) };
    if (this.type === "boolean") return { type: "boolean", values: shortened(this.booleans, rows) };
    this.strings.length = rows;
    return { type: "string", values: this.strings };
  }
}

function shortened<T extends Float64Array | Uint8Array>(values: T, rows: number): T {
  return (values.length === rows ? values : values.slice(0, rows)) as T;
}
