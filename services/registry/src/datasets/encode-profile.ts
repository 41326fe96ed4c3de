import { type Column, ColumnSchema, type ValueCount, ValueCountSchema } from "@aimass/api/registry";
import type { ColumnProfile } from "@aimass/datasets";
import { create } from "@bufbuild/protobuf";
import { invalid, shorten } from "../names.ts";
import type { Profile } from "./apart/messages.ts";
import { cut } from "./cut-text.ts";
import { encodeType } from "./terms.ts";

const longestName = 1024;
const longestValue = 100;
/** Of all columns together, so that a version of thousands of columns stays small. */
const keptValues = 8192;
const maxWarnings = 100;
/** Above this share of different values none is frequent. */
const nearlyAll = 0.9;

/** The columns of a profile as the API shows them. Errors: INVALID_ARGUMENT for a name that is too long to be kept. */
export function encodeColumns(columns: readonly ColumnProfile[]): Column[] {
  const long = columns.find(({ name }) => name.length > longestName);
  if (long !== undefined) {
    throw invalid(
      "sha256",
      `The column "${shorten(long.name)}" has a name of ${long.name.length} characters.`,
      `At most ${longestName} fit.`,
    );
  }
  const odd = columns.find(({ name }) => name.includes("\0") || !name.isWellFormed());
  if (odd !== undefined) {
    throw invalid("sha256", `The column "${shorten(odd.name)}" has a name that is not plain text.`, "Rename it.");
  }
  const most = Math.max(1, Math.floor(keptValues / columns.length));
  return columns.map((column) => encodeColumn(column, most));
}

/** The first warnings, and how many more there are. */
export function encodeWarnings({ warnings }: Pick<Profile, "warnings">): string[] {
  const kept = warnings.slice(0, maxWarnings);
  if (warnings.length > maxWarnings) kept.push(`There are ${warnings.length - maxWarnings} more warnings like these.`);
  return kept;
}

function encodeColumn(column: ColumnProfile, most: number): Column {
  const { name, missing, missingWords = [], dates = "", distinct, count } = column;
  return create(ColumnSchema, {
    name,
    type: encodeType(column.type),
    missing: BigInt(missing),
    missingWords: [...missingWords],
    ...(column.source !== undefined && { sourceName: column.source }),
    ...(column.element !== undefined && { element: column.element }),
    datePattern: dates,
    // An estimate may exceed what there is.
    distinct: BigInt(Math.min(distinct?.count ?? 0, count)),
    frequent: frequentOf(column).slice(0, most),
    ...figuresOf(column),
  });
}

function figuresOf({ statistics }: ColumnProfile) {
  if (statistics.kind === "number") {
    const { minimum, maximum, mean, standardDeviation, looks = "" } = statistics;
    return { minimum, maximum, mean, deviation: standardDeviation, looks };
  }
  if (statistics.kind !== "string") return {};
  const { looks, shortest, longest } = statistics;
  return { looks, shortest: BigInt(shortest), longest: BigInt(longest) };
}

function frequentOf({ count, distinct, frequent }: ColumnProfile): ValueCount[] {
  if (distinct === undefined || frequent === undefined) return [];
  if (distinct.count > 1 && distinct.count > count * nearlyAll) return [];
  return frequent.values.map(({ value, count: times }) =>
    create(ValueCountSchema, { value: plain(cut(value, longestValue)), count: BigInt(times) }),
  );
}

/** PostgreSQL keeps no NUL characters. */
function plain(text: string): string {
  return text.replaceAll("\0", "\ufffd");
}
