import { datePattern, readDate } from "@aimass/core";
import { inShell } from "../cells/bad-cell.ts";
import { quote } from "../schema.ts";
import type { ColumnProfile } from "./column-profile.ts";
import { readAsDates } from "./date-warnings.ts";
import type { ValueCounts } from "./value-counts.ts";

/** FP32, in which models compute, holds all whole numbers up to this. */
const mostWhole = 2 ** 24;
/** More values than these that lie apart are measurements. */
const mostSentinels = 3;
/** A value lies apart where it is this many times as far from the others as they are from each other. */
const farApart = { large: 1, usual: 5 } as const;
/** Fewer different values are codes. */
const leastDistinct = 5;
const compactDates = { first: 18_000_101, last: 22_001_231, pattern: datePattern("YYYYMMDD") } as const;

type Numbers = Extract<ColumnProfile["statistics"], { kind: "number" }>;

interface Sentinels {
  readonly values: readonly { readonly value: number; readonly count: number }[];
  /** Of all other values. */
  readonly from: number;
  readonly to: number;
}

/** What a person should know of a column of numbers: values that stand for something else, days that are written as numbers. */
export function numberWarnings({ name, count, statistics }: ColumnProfile, counts: ValueCounts): string[] {
  if (statistics.kind !== "number") return [];
  return [...sentinelWarning(name, count, statistics, counts), ...compactWarning(name, statistics, counts)];
}

function sentinelWarning(name: string, count: number, figures: Numbers, counts: ValueCounts): string[] {
  const found = sentinelsOf(figures, counts);
  if (found === undefined) return [];
  const { values, from, to } = found;
  const isLarge = takesPrecision(found, figures);
  const rows = values.reduce((sum, value) => sum + value.count, 0);
  if (!isLarge && rows === values.length) return [];
  const words = values.map(({ value }) => String(value));
  const lost = isLarge ? " With it models cannot keep the others apart: they compute in FP32." : "";
  return [
    `Column ${quote(name)} has ${words.join(" and ")} in ${counts.exact ? "" : "at least "}${rows} of ${count} values, far from all others, which are ${from} to ${to}.${lost} If it means "no value", say so: --missing ${words.map(inShell).join(" ")} (in the API: read.missing).`,
  ];
}

/** Whether the others would be told apart by what they have in common, as the features of numbers are, but for the values that lie apart. */
function takesPrecision({ from, to }: Sentinels, { integers, minimum, maximum }: Numbers): boolean {
  const reach = Math.max(Math.abs(from), Math.abs(to));
  const whole = Math.max(Math.abs(minimum), Math.abs(maximum));
  return integers && reach > mostWhole && to - from <= reach / 2 && maximum - minimum > whole / 2;
}

/** At most three values at one end that are apart from all others; undefined where there are none, or too few others to say so. */
function sentinelsOf(figures: Numbers, counts: ValueCounts): Sentinels | undefined {
  const { minimum, maximum } = figures;
  if (counts.distinct < leastDistinct) return undefined;
  // Above 1024 different values rare ones are forgotten, but for the ends.
  const known = new Map(counts.top(Number.POSITIVE_INFINITY).map(({ value, count }) => [Number(value), count]));
  for (const end of [minimum, maximum]) if (!known.has(end)) known.set(end, 1);
  const sorted = [...known].map(([value, count]) => ({ value, count })).sort((a, b) => a.value - b.value);
  for (const values of [sorted, sorted.toReversed()]) {
    const found = apart(values, farApart.large);
    if (found !== undefined && takesPrecision(found, figures)) return found;
    const far = apart(values, farApart.usual);
    if (far !== undefined) return far;
  }
  return undefined;
}

/** Those at the beginning that are apart from all behind them. */
function apart(sorted: readonly { value: number; count: number }[], needed: number): Sentinels | undefined {
  const last = sorted.at(-1)?.value ?? 0;
  for (let many = 1; many <= mostSentinels && many < sorted.length - 1; many++) {
    const [before, behind] = [sorted[many - 1]?.value ?? 0, sorted[many]?.value ?? 0];
    const others = Math.abs(last - behind);
    if (Math.abs(behind - before) < needed * others) continue;
    const values = sorted.slice(0, many).sort((a, b) => a.value - b.value);
    return { values, from: Math.min(behind, last), to: Math.max(behind, last) };
  }
  return undefined;
}

function compactWarning(name: string, { minimum, maximum, integers }: Numbers, counts: ValueCounts): string[] {
  const { first, last, pattern } = compactDates;
  if (pattern === undefined || !integers || minimum < first || maximum > last || counts.distinct < 2) return [];
  const days = counts.top(Number.POSITIVE_INFINITY).map(({ value }) => readDate(value, pattern)?.iso);
  if (days.some((day) => day === undefined)) return [];
  const iso = readDate(String(minimum), pattern)?.iso;
  return [
    `Column ${quote(name)} is read as numbers, which look like days: ${minimum} may be ${iso}. ${readAsDates(name, "YMD")}`,
  ];
}
