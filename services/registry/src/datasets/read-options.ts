import { ColumnType as ApiColumnType, DatasetFormat, type ReadOptions, ReadOptionsSchema } from "@aimass/api/registry";
import { type ColumnType, formerMissing, missingWords } from "@aimass/datasets";
import { create, equals } from "@bufbuild/protobuf";
import { invalid, shorten } from "../names.ts";
import { decodeFormat, decodeType } from "./terms.ts";

const maxMissing = 100;
const longestMissing = 100;
const maxTypes = 10_000;

/** Refuses options that mean nothing. Errors: INVALID_ARGUMENT. */
export function assertReadOptions(read: ReadOptions, format: DatasetFormat): void {
  const { missing, delimiter, types } = read;
  if (missing.length > maxMissing || missing.some((word) => word.length > longestMissing)) {
    throw invalid(
      "read.missing",
      "There are too many words that mean a missing value, or too long ones.",
      `At most ${maxMissing} of up to ${longestMissing} characters fit.`,
    );
  }
  if ([...missing, ...Object.keys(types)].some((text) => text.includes("\0"))) {
    throw invalid("read", "A word holds a NUL character.", "Write plain text.");
  }
  if (delimiter !== "" && !(/^[\t -~]$/.test(delimiter) && delimiter !== '"')) {
    throw invalid(
      "read.delimiter",
      `${JSON.stringify(shorten(delimiter))} cannot be a delimiter.`,
      "Use one ASCII character, such as a comma, a semicolon or a tab.",
    );
  }
  if (delimiter !== "" && format !== DatasetFormat.UNSPECIFIED && !isDelimited(format)) {
    throw invalid("read.delimiter", "The format has no delimiter.", "Name a delimiter for CSV and TSV only.");
  }
  const declared = Object.entries(types);
  const odd = declared.find(([, type]) => decodeType(type) === undefined || type === ApiColumnType.IMAGE);
  if (odd !== undefined) {
    throw invalid(
      `read.types[${shorten(odd[0])}]`,
      `The type of column "${shorten(odd[0])}" cannot be declared so.`,
      "Declare NUMBER, STRING or BOOLEAN.",
    );
  }
  if (declared.length > maxTypes) {
    throw invalid("read.types", `${declared.length} columns are declared.`, `At most ${maxTypes} fit.`);
  }
}

/** The options as they are kept: with the defaults of the format. */
export function completeReadOptions(read: ReadOptions | undefined, format: DatasetFormat): ReadOptions {
  const { missing: named = [], delimiter = "", types = {}, onlyMissing = false, keepIndex = false } = read ?? {};
  const missing = [...missingWords(decodeFormat(format) ?? "csv", named, onlyMissing)];
  const complete = { missing, onlyMissing: true, types, keepIndex };
  if (!isDelimited(format)) return create(ReadOptionsSchema, complete);
  return create(ReadOptionsSchema, {
    ...complete,
    delimiter: delimiter !== "" ? delimiter : format === DatasetFormat.TSV ? "\t" : ",",
  });
}

/** The words of a version that mean "no value". Versions made before `only_missing` keep those that were usual then, or none where they were. */
export function keptMissing(read: ReadOptions | undefined, format: DatasetFormat): readonly string[] {
  const keepsNone = read === undefined || (read.missing.length === 0 && !read.onlyMissing);
  return keepsNone && isDelimited(format) ? formerMissing : (read?.missing ?? []);
}

/** Whether two sets of options, completed, read every file the same way. */
export function readAlike(one: ReadOptions, other: ReadOptions): boolean {
  const sorted = (read: ReadOptions) =>
    create(ReadOptionsSchema, { ...read, missing: [...new Set(read.missing)].sort(), onlyMissing: true });
  return equals(ReadOptionsSchema, sorted(one), sorted(other));
}

/** The columns whose type is declared. */
export function declaredTypes(read: ReadOptions): ReadonlyMap<string, ColumnType> {
  return new Map(Object.entries(read.types).map(([name, type]) => [name, decodeType(type) as ColumnType]));
}

function isDelimited(format: DatasetFormat): boolean {
  return format === DatasetFormat.CSV || format === DatasetFormat.TSV;
}
