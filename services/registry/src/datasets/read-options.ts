import { ColumnType as ApiColumnType, DatasetFormat, type ReadOptions, ReadOptionsSchema } from "@aimass/api/registry";
import { type DateOrder, isDateOrder, signProblem } from "@aimass/core";
import { type ColumnType, formerMissing, isEncoding, missingWords } from "@aimass/datasets";
import { create, equals } from "@bufbuild/protobuf";
import { invalid, shorten } from "../names.ts";
import { decodeFormat, decodeType } from "./terms.ts";

const maxMissing = 100;
const longestMissing = 100;
const maxTypes = 10_000;
const longestName = 1024;

/** Refuses options that mean nothing. Errors: INVALID_ARGUMENT. */
export function assertReadOptions(read: ReadOptions, format: DatasetFormat): void {
  const { missing, delimiter, types, dates, columns, without, rename } = read;
  if (missing.length > maxMissing || missing.some((word) => word.length > longestMissing)) {
    throw invalid(
      "read.missing",
      "There are too many words that mean a missing value, or too long ones.",
      `At most ${maxMissing} of up to ${longestMissing} characters fit.`,
    );
  }
  const declaredNames = [...Object.keys(types), ...Object.keys(dates)];
  const names = [read.sheet, ...declaredNames, ...columns, ...without, ...Object.entries(rename).flat()];
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
  assertWriting(read, format);
  const declared = Object.entries(types);
  const odd = declared.find(([, type]) => decodeType(type) === undefined || type === ApiColumnType.IMAGE);
  if (odd !== undefined) {
    throw invalid(
      `read.types[${shorten(odd[0])}]`,
      `The type of column "${shorten(odd[0])}" cannot be declared so.`,
      "Declare NUMBER, STRING or BOOLEAN.",
    );
  }
  assertDates(read);
  const many = declared.length + Object.keys(dates).length;
  if (many > maxTypes) throw invalid("read.types", `${many} columns are declared.`, `At most ${maxTypes} fit.`);
}

function assertDates({ dates, types }: ReadOptions): void {
  for (const [name, order] of Object.entries(dates)) {
    const field = `read.dates[${shorten(name)}]`;
    if (!isDateOrder(order)) {
      throw invalid(field, `"${shorten(order)}" is no order of dates.`, "Orders are DMY, MDY and YMD.");
    }
    if (Object.hasOwn(types, name)) {
      throw invalid(field, `Column "${shorten(name)}" is declared as dates and as something else.`, "Declare it once.");
    }
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

function assertWriting({ encoding, decimal, thousands, sheet }: ReadOptions, format: DatasetFormat): void {
  if (sheet !== "" && format !== DatasetFormat.UNSPECIFIED && format !== DatasetFormat.XLSX)
    throw invalid("read.sheet", "The format has no sheets.", "Name a sheet of workbooks only.");
  if (sheet.length > longestName) throw invalid("read.sheet", "The name of the sheet is too long.", "Shorten it.");
  if (encoding !== "" && !isEncoding(encoding)) {
    const remedy = "Name one such as windows-1252, utf-16le, gbk or shift_jis.";
    throw invalid("read.encoding", `There is no encoding "${shorten(encoding)}".`, remedy);
  }
  const wrong = signProblem({ decimal, thousands });
  if (wrong !== undefined) throw invalid(`read.${wrong.sign}`, wrong.message, wrong.remedy);
  if ((decimal !== "" || thousands !== "") && format !== DatasetFormat.UNSPECIFIED && !isDelimited(format)) {
    const field = decimal !== "" ? "read.decimal" : "read.thousands";
    throw invalid(field, "The format has numbers of its own.", "Say how numbers are written for CSV and TSV only.");
  }
}

/** How the text of a version is written, where it is not as usual. */
export function writtenAs({ delimiter, encoding, decimal, thousands, sheet }: ReadOptions) {
  return {
    ...(delimiter !== "" && { delimiter }),
    ...(encoding !== "" && { encoding }),
    ...(decimal !== "" && { decimal }),
    ...(thousands !== "" && { thousands }),
    ...(sheet !== "" && { sheet }),
  };
}

/** The options as they are kept: with the defaults of the format. */
export function completeReadOptions(read: ReadOptions | undefined, format: DatasetFormat): ReadOptions {
  const { missing: named = [], delimiter = "", types = {}, dates = {} } = read ?? {};
  const { onlyMissing = false, keepIndex = false } = read ?? {};
  const missing = [...missingWords(decodeFormat(format) ?? "csv", named, onlyMissing)];
  const { columns = [], without = [], rename = {} } = read ?? {};
  const { encoding = "", decimal = "", thousands = "", sheet = "" } = read ?? {};
  const written = { encoding, decimal, thousands, sheet };
  const complete = { missing, onlyMissing: true, types, dates, keepIndex, columns, without, rename, ...written };
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
  return equals(ReadOptionsSchema, inOneOrder(one), inOneOrder(other));
}

/** Completed options with their words, columns and maps in an order that says nothing. */
export function inOneOrder(read: ReadOptions): ReadOptions {
  const set = (words: readonly string[]) => [...new Set(words)].sort();
  const map = <T>(entries: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(entries).sort(([one], [other]) => (one < other ? -1 : 1)));
  return create(ReadOptionsSchema, {
    ...read,
    ...{ missing: set(read.missing), columns: set(read.columns), without: set(read.without), onlyMissing: true },
    ...{ types: map(read.types), dates: map(read.dates), rename: map(read.rename) },
  });
}

/** The columns whose type is declared. */
export function declaredTypes(read: ReadOptions): ReadonlyMap<string, ColumnType> {
  return new Map(Object.entries(read.types).map(([name, type]) => [name, decodeType(type) as ColumnType]));
}

/** The columns of dates whose order is declared. */
export function declaredDates(read: ReadOptions): ReadonlyMap<string, DateOrder> {
  return new Map(Object.entries(read.dates).map(([name, order]) => [name, order as DateOrder]));
}

function isDelimited(format: DatasetFormat): boolean {
  return format === DatasetFormat.CSV || format === DatasetFormat.TSV;
}
