import { extname } from "node:path";
import { AimassError } from "@aimass/core";
import type { DatasetFormat } from "@aimass/datasets";
import { stringifyExact } from "../client/exact-json.ts";
import type { TableColumn } from "./table-column.ts";

/** How results are written. */
export type ResultFormat = "csv" | "tsv" | "jsonl";

export const resultFormats: readonly ResultFormat[] = ["csv", "tsv", "jsonl"];

const formatOfExtension: Readonly<Record<string, ResultFormat>> = {
  "": "csv",
  ".csv": "csv",
  ".tsv": "tsv",
  ".tab": "tsv",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
};

/** By the name of the file; on standard output JSON Lines where the input is JSON, else CSV. Errors: INVALID_ARGUMENT for a name of another format. */
export function resultFormat(path: string | undefined, input: DatasetFormat): ResultFormat {
  if (path === undefined) return input === "json-lines" || input === "json" ? "jsonl" : "csv";
  const format = formatOfExtension[extname(path).toLowerCase()];
  if (format !== undefined) return format;
  throw new AimassError("INVALID_ARGUMENT", `${path} does not say how predictions are written.`, {
    remedy: "End its name in .csv, .tsv or .jsonl, or give --format.",
  });
}

/** Writes rows: the columns of the input that are wanted, then those of the predictions. */
export interface RowFormat {
  /** The line before all rows; empty for none. */
  header(predictions: readonly string[]): string;
  row(cells: readonly (string | undefined)[], names: readonly string[], predictions: readonly unknown[]): string;
}

/** `columns`: of the input, whose cells `row` is given. */
export function rowFormat(format: ResultFormat, columns: readonly TableColumn[]): RowFormat {
  return format === "jsonl" ? jsonLines(columns) : delimited(format === "csv" ? "," : "\t", columns);
}

/** RFC 4180; the cells of the input as they stand there. */
function delimited(delimiter: string, columns: readonly TableColumn[]): RowFormat {
  const special = new RegExp(`["\\r\\n${delimiter}]`);
  const cell = (text: string) => (special.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  // A line of one empty cell would be a blank line, which is no row.
  const line = (cells: readonly string[]) =>
    `${cells.length === 1 && cells[0] === "" ? '""' : cells.join(delimiter)}\n`;
  return {
    header: (predictions) => line([...columns.map(({ name }) => name), ...predictions].map(cell)),
    row: (cells, _names, predictions) =>
      line([...cells.map((text) => cell(text ?? "")), ...predictions.map((value) => cell(plainText(value)))]),
  };
}

/** An object a line; numbers, truths and gaps of the input as what they are. */
function jsonLines(columns: readonly TableColumn[]): RowFormat {
  const keys = columns.map(({ name }) => `${JSON.stringify(name)}:`);
  return {
    header: () => "",
    row: (cells, names, predictions) => {
      const given = columns.map((column, index) => keys[index] + column.value(cells[index]));
      const added = predictions.map(
        (value, index) => `${JSON.stringify(names[index])}:${stringifyExact(value ?? null)}`,
      );
      return `{${[...given, ...added].join(",")}}\n`;
    },
  };
}

function plainText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : String(value);
}
