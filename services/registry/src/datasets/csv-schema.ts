import { pipeline } from "node:stream";
import { type Column, ColumnSchema, ColumnType } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { CsvError, parse } from "csv-parse";
import { invalid, shorten } from "../names.ts";
import { ColumnStatistics } from "./column-statistics.ts";

/** What a table turned out to be. */
export interface TableSchema {
  readonly rows: number;
  readonly columns: readonly Column[];
}

export interface CsvLimits {
  readonly maxColumns: number;
  /** Bytes of one row. */
  readonly maxRowBytes: number;
}

/**
 * Reads a CSV (RFC 4180, header row, UTF-8 with or without byte order mark) once, in memory that depends on the number of columns alone, and infers its schema:
 * a column is numbers when every cell that is not missing is one. Errors: INVALID_ARGUMENT with row and column; the header is row 1.
 */
export async function inferCsvSchema(chunks: AsyncIterable<Uint8Array>, limits: CsvLimits): Promise<TableSchema> {
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: limits.maxRowBytes,
    skip_empty_lines: true,
  });
  let header: readonly string[] | undefined;
  let columns: readonly ColumnStatistics[] = [];
  let row = 0;
  // The error comes out of the iteration as well.
  pipeline(decodeUtf8(chunks), parser, () => {});
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      row += 1;
      if (header === undefined) {
        header = readHeader(record, limits);
        columns = header.map(() => new ColumnStatistics());
        continue;
      }
      assertWidth(record, header, row);
      record.forEach((cell, index) => {
        const at = { row, column: header?.[index] ?? "" };
        columns[index]?.add(checkCell(cell, at));
      });
    }
  } catch (error) {
    throw asRowError(error, limits);
  }
  if (header === undefined || row === 1) throw noRows(header);
  return { rows: row - 1, columns: header.map((name, index) => describe(name, columns[index] as ColumnStatistics)) };
}

async function* decodeUtf8(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let at = 0;
  for await (const chunk of chunks) {
    yield decodeChunk(decoder, chunk, at);
    at += chunk.byteLength;
  }
  yield decodeChunk(decoder, undefined, at);
}

function decodeChunk(decoder: InstanceType<typeof TextDecoder>, chunk: Uint8Array | undefined, at: number): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
  } catch {
    throw new AimassError("INVALID_ARGUMENT", `The file is not UTF-8: the text breaks after byte ${at}.`, {
      field: "sha256",
      remedy: "Save it as UTF-8 and upload it again.",
    });
  }
}

function readHeader(names: readonly string[], limits: CsvLimits): readonly string[] {
  if (names.length > limits.maxColumns) {
    throw invalid("sha256", `The table has ${names.length} columns.`, `At most ${limits.maxColumns} fit.`);
  }
  const seen = new Set<string>();
  return names.map((raw, index) => {
    const name = raw.trim();
    if (name === "")
      throw invalid(
        "sha256",
        `Row 1, column ${index + 1}: the column has no name.`,
        "Give every column a name in the first row.",
      );
    if (seen.has(name))
      throw invalid(
        "sha256",
        `Row 1, column ${index + 1}: "${shorten(name)}" comes twice.`,
        "Give every column a name of its own.",
      );
    seen.add(name);
    return name;
  });
}

function assertWidth(record: readonly string[], header: readonly string[], row: number): void {
  if (record.length === header.length) return;
  const message =
    record.length < header.length
      ? `Row ${row} ends before column "${shorten(header[record.length] ?? "")}": it has ${record.length} of ${header.length} cells.`
      : `Row ${row} goes on after the last column: it has ${record.length} cells, and there are ${header.length} columns.`;
  throw invalid("sha256", message, "Put cells that hold a comma into double quotes.");
}

function checkCell(cell: string, at: { row: number; column: string }): string {
  if (!cell.includes("\0")) return cell;
  throw invalid(
    "sha256",
    `Row ${at.row}, column "${shorten(at.column)}": the cell holds a NUL character.`,
    "Save the file as plain text.",
  );
}

/** What the parser found, in our words. It counts the rows before the bad one, which it may not have handed out yet. */
function asRowError(error: unknown, limits: CsvLimits): unknown {
  if (!(error instanceof CsvError)) return error;
  const row = Number(error.records) + 1;
  const column = typeof error.column === "number" ? `, column ${error.column + 1}` : "";
  if (error.code === "CSV_MAX_RECORD_SIZE") {
    return invalid(
      "sha256",
      `Row ${row} is longer than ${limits.maxRowBytes} bytes.`,
      "A quote that is never closed makes a row run on.",
    );
  }
  return invalid(
    "sha256",
    `Row ${row}${column}: a quote stands where none may be, or is never closed.`,
    'Write a quote inside a quoted cell twice: "".',
  );
}

function noRows(header: readonly string[] | undefined): AimassError {
  const message = header === undefined ? "The file is empty." : "The file has a header and no rows.";
  return invalid("sha256", message, "A table has a header row and at least one row below it.");
}

function describe(name: string, statistics: ColumnStatistics): Column {
  const { missing, numbers } = statistics.result();
  return create(ColumnSchema, {
    name,
    missing: BigInt(missing),
    ...(numbers === undefined ? { type: ColumnType.STRING } : { type: ColumnType.NUMBER, ...numbers }),
  });
}
