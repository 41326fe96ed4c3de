import { AimassError } from "@aimass/core";

/** How a dataset's file is written. */
export type DatasetFormat = "csv" | "tsv" | "json-lines" | "json" | "xlsx" | "parquet" | "arrow" | "image-zip";

/** What the values of a column are. Dates are strings. */
export type ColumnType = "number" | "string" | "boolean" | "image";

export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnType;
  /** Cells of this column that mean "no value", beside those of the schema. White space around them does not count. */
  readonly missing?: readonly string[];
  /** What the file calls it, where that is another name. */
  readonly source?: string;
  /** Which number of the lists in `source` it holds, from 0. */
  readonly element?: number;
  /** Of strings that are days or moments, how they are written (a name of @aimass/core's `datePatterns`). They are read as ISO 8601; what is no day is missing. */
  readonly dates?: string;
}

/** The columns of a table in the file's order, and what is needed to read it the same way again. Plain JSON. */
export interface DatasetSchema {
  readonly columns: readonly ColumnSchema[];
  /** Cells that mean "no value"; `defaultMissing` when left out. JSON's null and Parquet's null always do. */
  readonly missing?: readonly string[];
  /** Delimited text only: what stands between cells; a comma for CSV and a tab for TSV when left out. */
  readonly delimiter?: string;
  /** Text formats: the label of the character encoding; UTF-8, or what the byte order mark says, when left out. */
  readonly encoding?: string;
  /** Delimited text only: what stands before decimals (a point when left out), and between groups of three digits. */
  readonly decimal?: string;
  readonly thousands?: string;
  /** Workbooks only: the name of the sheet; the first when left out. */
  readonly sheet?: string;
  /** The file may have columns that are left out. */
  readonly partial?: boolean;
}

/** Cells that mean "no value" in delimited text and sheets unless the schema says otherwise: those of pandas 3.1. They are compared as they stand. */
export const defaultMissing: readonly string[] = [
  "",
  "#N/A",
  "#N/A N/A",
  "#NA",
  "-1.#IND",
  "-1.#QNAN",
  "-NaN",
  "-nan",
  "1.#IND",
  "1.#QNAN",
  "<NA>",
  "N/A",
  "NA",
  "NULL",
  "NaN",
  "None",
  "n/a",
  "nan",
  "null",
];

/** What they were before versions of datasets kept theirs. */
export const formerMissing: readonly string[] = [
  ...["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "n/a", "na"],
];

/** The cells that mean "no value" where a caller names some: beside the usual ones of the format, or (`only`) instead of them. */
export function missingWords(format: DatasetFormat, named: readonly string[], only: boolean): readonly string[] {
  const usual = format === "csv" || format === "tsv" || format === "xlsx" ? defaultMissing : [];
  return only ? named : [...new Set([...usual, ...named])];
}

/** Refuses a schema that could not describe any file. */
export function checkSchema(schema: DatasetSchema): void {
  if (schema.columns.length === 0) throw new AimassError("INVALID_ARGUMENT", "The schema has no columns.");
  const seen = new Set<string>();
  for (const [index, column] of schema.columns.entries()) {
    const field = `schema.columns[${index}]`;
    if (column.name === "") throw new AimassError("INVALID_ARGUMENT", `Column ${index + 1} has no name.`, { field });
    if (seen.has(column.name)) {
      throw new AimassError("INVALID_ARGUMENT", `The schema names column ${quote(column.name)} twice.`, { field });
    }
    seen.add(column.name);
  }
}

/** The columns a caller wants, in the schema's order. */
export function selectColumns(schema: DatasetSchema, wanted: readonly string[] | undefined): readonly ColumnSchema[] {
  if (wanted === undefined) return schema.columns;
  const known = new Set(schema.columns.map((column) => column.name));
  for (const name of wanted) {
    if (known.has(name)) continue;
    throw new AimassError("INVALID_ARGUMENT", `There is no column ${quote(name)}.`, {
      field: "columns",
      remedy: `The columns are ${listed([...known])}.`,
    });
  }
  const chosen = new Set(wanted);
  return schema.columns.filter((column) => chosen.has(column.name));
}

/** Refuses a file whose columns are not those of the schema, in whatever order. */
export function checkColumns(schema: DatasetSchema, found: readonly string[]): void {
  const names = new Set(found);
  const absent = schema.columns
    .map(({ name, source, element }) => (element === undefined ? name : (source ?? name)))
    .filter((name) => !names.has(name));
  if (absent.length > 0) {
    throw new AimassError("INVALID_ARGUMENT", `The file has no column ${listed(absent)}.`, {
      field: "schema",
      remedy: `Its columns are ${listed(found)}.`,
    });
  }
}

/** Whether a warning of a profile is about this column. */
export function isWarningOf(warning: string, column: string): boolean {
  return warning.startsWith(`Column ${quote(column)} `);
}

/** A value as it may stand in a sentence: quoted, escaped, not too long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
}

/** Names for a sentence: the first ten, quoted. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(quote).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
