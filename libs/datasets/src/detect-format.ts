import { markedEncoding } from "./byte-source.ts";
import { badFile } from "./cells/bad-cell.ts";
import type { DataFile } from "./data-file.ts";
import { separatorLine } from "./delimited/separator.ts";
import type { DatasetFormat } from "./schema.ts";
import { skipByteOrderMark } from "./text-file.ts";

const lookedAt = 64 * 1024;
const remedy = "Name the format, or upload CSV, TSV, JSON Lines, Parquet or a ZIP of images.";

/**
 * Tells the format of a file from its first bytes: Parquet and ZIP by their magic numbers; JSON Lines by a first line that is, or begins, an object; else TSV
 * where the first line has more tabs than commas, and CSV.
 * Errors: INVALID_ARGUMENT for an empty file, and files of well-known other kinds.
 */
export async function detectFormat(file: DataFile, signal?: AbortSignal): Promise<DatasetFormat> {
  const bytes = Buffer.from(await file.read(0, Math.min(lookedAt, file.sizeBytes), signal));
  const magic = bytes.toString("latin1", 0, 4);
  if (magic === "PAR1") return "parquet";
  if (magic === "PK\x03\x04" || magic === "PK\x05\x06") return "image-zip";
  const marked = markedEncoding(bytes);
  const text =
    marked === undefined ? bytes.toString("utf8", skipByteOrderMark(bytes)) : new TextDecoder(marked).decode(bytes);
  if (text.includes("\0")) throw badFile("The file's format is not known: it is not text.", remedy);
  const line = /^\s*([^\r\n]*)/.exec(text)?.[1] ?? "";
  if (line === "") throw badFile("The file is empty.", "Upload a file with a header and at least one row.");
  if (beginsObject(line)) return "json-lines";
  return separatorLine.test(line) ? "csv" : count(line, "\t") > count(line, ",") ? "tsv" : "csv";
}

/** A column named "{" would be odd, but may be: only what goes on like an object is one. */
function beginsObject(line: string): boolean {
  if (/^\{\s*"(?:[^"\\]|\\.)*"\s*:/.test(line)) return true;
  return /^\{\s*\}\s*$/.test(line);
}

function count(text: string, sign: string): number {
  return text.split(sign).length - 1;
}
