import { AimassError, separatorLine } from "@aimass/core";
import type { TextFile } from "./byte-source.ts";
import { badFile } from "./cells/bad-cell.ts";
import type { DataFile } from "./data-file.ts";
import { readZip } from "./images/zip-directory.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { beginsJsonTable } from "./other-formats.ts";
import type { DatasetFormat } from "./schema.ts";
import { seekingFormat } from "./seeking-format.ts";
import { beginningOf } from "./text-file.ts";

const lookedAt = 64 * 1024;
const remedy = "Name the format, or upload CSV, TSV, JSON, JSON Lines, Parquet, Feather, .xlsx or a ZIP of images.";

export interface DetectionOptions extends Partial<Pick<TextFile, "encoding" | "limits">> {
  readonly signal?: AbortSignal;
}

/**
 * Tells the format of a file from its first bytes, unpacked where it is compressed: Parquet, Arrow and ZIP by their magic numbers, a workbook by the names in it; JSON Lines by a first line that is,
 * or begins, an object; JSON by an array, or an object of objects, of lists or over several lines; else TSV where the first line has more tabs than commas, and CSV.
 * Errors: INVALID_ARGUMENT for an empty file, and files of well-known other kinds.
 */
export async function detectFormat(
  file: DataFile,
  { encoding, limits = defaultLimits, signal }: DetectionOptions = {},
): Promise<DatasetFormat> {
  const start = await file.read(0, 8, signal);
  const seeking = seekingFormat(start);
  if (seeking === "image-zip") return (await isWorkbook(file, limits, signal)) ? "xlsx" : seeking;
  if (seeking !== undefined) return seeking;
  const { text } = await beginningOf({ file, encoding, limits }, lookedAt, signal);
  if (text.slice(257, 262) === "ustar")
    throw badFile("The file is a tar archive.", "Unpack it, and push a file of it.");
  if (text.includes("\0")) throw badFile("The file's format is not known: it is not text.", remedy);
  const line = /^\s*([^\r\n]*)/.exec(text)?.[1] ?? "";
  if (line === "") throw badFile("The file is empty.", "Upload a file with a header and at least one row.");
  if (beginsJsonTable(text)) return "json";
  if (beginsObject(line)) return isNestedTable(text) ? "json" : "json-lines";
  return separatorLine.test(line) ? "csv" : count(line, "\t") > count(line, ",") ? "tsv" : "csv";
}

/** Whether a ZIP archive is an Excel workbook. What is wrong with it is said when it is read. */
async function isWorkbook(file: DataFile, limits: Limits, signal: AbortSignal | undefined): Promise<boolean> {
  const unbounded = { ...limits, zipEntryBytes: Number.MAX_SAFE_INTEGER, zipTotalBytes: Number.MAX_SAFE_INTEGER };
  try {
    return (await readZip(file, unbounded, signal)).some(({ name }) => name.toLowerCase() === "xl/workbook.xml");
  } catch (error) {
    if (error instanceof AimassError) return false;
    throw error;
  }
}

/** A column named "{" would be odd, but may be: only what goes on like an object is one. */
function beginsObject(line: string): boolean {
  if (/^\{\s*"(?:[^"\\]|\\.)*"\s*:/.test(line)) return true;
  return /^\{\s*\}\s*$/.test(line);
}

/** Whether the file is one object on one line whose first value is an object or a list: a table by columns or by rows. JSON Lines of such objects have more lines. */
function isNestedTable(text: string): boolean {
  return /^\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*[[{][^\r\n]*\s*$/.test(text);
}

function count(text: string, sign: string): number {
  return text.split(sign).length - 1;
}
