import { ColumnType as ApiColumnType, DatasetFormat, type ReadOptions, ReadOptionsSchema } from "@aimass/api/registry";
import { type ColumnType, formerMissing, missingWords } from "@aimass/datasets";
import { create, equals } from "@bufbuild/protobuf";
import { invalid, shorten } from "../names.ts";
import { decodeFormat, decodeType } from "./terms.ts";

const maxMissing = 100;
const longestMissing = 100;
const maxTypes = 10_000;
const longestName = 1024;

/** Refuses options that mean nothing. Errors: INVALID_ARGUMENT. */
export function assertReadOptions(read: ReadOptions, format: DatasetFormat): void {
  const { missing, delimiter, types, columns, without, rename } = read;
  if (missing.length > maxMissing || missing.some((word) => word.length > longestMissing)) {
    throw invalid(
      "read.missing",
      "There are too many words that mean a missing value, or too long ones.",
      `At most ${maxMissing} of up to ${longestMissing} characters fit.`,
    );
  }
  const names = [...Object.keys(types), ...columns, ...without, ...Object.entries(rename).flat()];
  if ([...missing, ...names].some((text) => text.includes("\0"))) {
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
  assertChoices(read);
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

/** Columns are chosen, left out and renamed in lists of bearable size. */
function assertChoices({ columns, without, rename }: ReadOptions): void {
  for (const [field, names] of Object.entries({ columns, without, rename: Object.entries(rename).flat() })) {
    if (names.length > 2 * maxTypes || names.some((name) => name.length > longestName)) {
      const remedy = `At most ${maxTypes} of up to ${longestName} characters fit.`;
      throw invalid(`read.${field}`, "There are too many columns, or too long names.", remedy);
    }
  }
  const empty = Object.entries(rename).find(([, name]) => name.trim() === "");
  if (empty !== undefined) {
    throw invalid(`read.rename[${shorten(empty[0])}]`, "A column gets an empty name.", "Give it one, or leave it out.");
  }
}

/** The options as they are kept: with the defaults of the format. */
export function completeReadOptions(read: ReadOptions | undefined, format: DatasetFormat): ReadOptions {
  const { missing: named = [], delimiter = "", types = {}, onlyMissing = false, keepIndex = false } = read ?? {};
  const missing = [...missingWords(decodeFormat(format) ?? "csv", named, onlyMissing)];
  const { columns = [], without = [], rename = {} } = read ?? {};
  const complete = { missing, onlyMissing: true, types, keepIndex, columns, without, rename };
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
    create(ReadOptionsSchema, {
      ...read,
      missing: [...new Set(read.missing)].sort(),
      columns: [...new Set(read.columns)].sort(),
      without: [...new Set(read.without)].sort(),
      onlyMissing: true,
    });
  return equals(ReadOptionsSchema, sorted(one), sorted(other));
}

/** The columns whose type is declared. */
export function declaredTypes(read: ReadOptions): ReadonlyMap<string, ColumnType> {
  return new Map(Object.entries(read.types).map(([name, type]) => [name, decodeType(type) as ColumnType]));
}

function isDelimited(format: DatasetFormat): boolean {
  return format === DatasetFormat.CSV || format === DatasetFormat.TSV;
}
