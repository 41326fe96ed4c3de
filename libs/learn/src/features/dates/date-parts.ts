import { civilOf } from "./civil.ts";

/** What may become of a date: see DateFeature. */
export const dateParts = [
  "elapsed",
  "year",
  "month",
  "day",
  "weekday",
  "hour",
  "months",
  "weekdays",
  "season",
] as const;
export type DatePart = (typeof dateParts)[number];

/** Numbers of a moment that a table can be looked up by, each from 0. */
export type DateKey = "month" | "day" | "weekday" | "hour" | "sinceMarch";

/** A feature, or some side by side, for each value of a key. */
export interface DateTable {
  readonly key: DateKey;
  readonly names: readonly string[];
  /** [values of the key × names], FP32. */
  readonly rows: readonly number[];
}

const sizes: Readonly<Record<DateKey, number>> = { month: 12, day: 31, weekday: 7, hour: 24, sinceMarch: 366 };
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** The tables of a part; none of "elapsed" and "year", which have no end. `nonNegative`: no feature may be below 0. */
export function tablesOf(part: DatePart, kind: "date" | "datetime", nonNegative: boolean): readonly DateTable[] {
  switch (part) {
    case "month":
    case "day":
    case "weekday":
    case "hour":
      return [counted(part, nonNegative)];
    case "months":
      return [oneEach("month", months)];
    case "weekdays":
      return [oneEach("weekday", weekdays)];
    case "season":
      if (nonNegative) return [];
      return [
        circle("sinceMarch", "season", 365.25),
        circle("weekday", "week", 7),
        ...(kind === "datetime" ? [circle("hour", "clock", 24)] : []),
      ];
    default:
      return [];
  }
}

/** The number itself, of about mean 0 and deviation 1 over all of its values, or from 0 to 1. */
function counted(key: "month" | "day" | "weekday" | "hour", nonNegative: boolean): DateTable {
  const size = sizes[key];
  const centre = nonNegative ? 0 : (size - 1) / 2;
  const width = nonNegative ? size - 1 : Math.sqrt((size * size - 1) / 12);
  const rows = Array.from({ length: size }, (_, value) => Math.fround((value - centre) / width));
  return { key, names: [key], rows };
}

function oneEach(key: DateKey, names: readonly string[]): DateTable {
  const rows = names.flatMap((_, value) => names.map((__, other) => Number(value === other)));
  return { key, names, rows };
}

/** A point on a circle, so that the last value is beside the first. */
function circle(key: DateKey, name: string, round: number): DateTable {
  const rows = Array.from({ length: sizes[key] }, (_, value) => (2 * Math.PI * value) / round);
  return {
    key,
    names: [`${name} sin`, `${name} cos`],
    rows: rows.flatMap((angle) => [Math.fround(Math.sin(angle)), Math.fround(Math.cos(angle))]),
  };
}

const secondsPerDay = 86_400;

/** The keys of a moment in the unit of its kind. */
export function keysOf(value: number, kind: "date" | "datetime"): Readonly<Record<DateKey | "year", number>> {
  const days = kind === "date" ? Math.floor(value) : Math.floor(value / secondsPerDay);
  const { year, month, day, weekday, sinceMarch } = civilOf(days);
  const hour = kind === "date" ? 0 : Math.min(23, Math.max(0, Math.floor((value - days * secondsPerDay) / 3600)));
  return { year, month: month - 1, day: day - 1, weekday, sinceMarch, hour };
}
