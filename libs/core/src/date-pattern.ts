import { isDay } from "./iso-date.ts";

/** What comes first in a day that is written in numbers. */
export type DateOrder = "DMY" | "MDY" | "YMD";

/** How the days of a column are written; a time of day may stand behind each. One of `datePatterns`. */
export interface DatePattern {
  /** As people write it, for instance "DD.MM.YYYY"; leading zeros of days and months may be left out. */
  readonly name: string;
  readonly order: DateOrder;
  /** What stands between the parts; "name": the month is an English word. */
  readonly separator: Separator;
  readonly yearDigits: 2 | 4;
}

type Separator = "." | "/" | "-" | "" | "name";

/** A day or moment as it was read. */
export interface ReadDate {
  /** ISO 8601; undefined where no calendar has such a day or time. */
  readonly iso: string | undefined;
  readonly hasTime: boolean;
  /** The numbers as they stand; undefined where the month is a word. */
  readonly parts: readonly [number, number, number] | undefined;
}

const orders: readonly DateOrder[] = ["DMY", "MDY", "YMD"];

/** Whether a text names an order. */
export function isDateOrder(text: string): text is DateOrder {
  return orders.includes(text as DateOrder);
}

const parts = { D: "DD", M: "MM", Y: "YYYY" } as const;

/** Every way to write a day that is known beside ISO 8601 itself. */
export const datePatterns: readonly DatePattern[] = [
  ...([".", "/", "-"] as const).flatMap((separator) =>
    orders.flatMap((order) => [numbers(order, separator, 4), numbers(order, separator, 2)]),
  ),
  { name: "YYYYMMDD", order: "YMD", separator: "", yearDigits: 4 },
  { name: "Month DD, YYYY", order: "MDY", separator: "name", yearDigits: 4 },
  { name: "DD Month YYYY", order: "DMY", separator: "name", yearDigits: 4 },
  { name: "DD-Month-YY", order: "DMY", separator: "name", yearDigits: 2 },
];

function numbers(order: DateOrder, separator: Separator, yearDigits: 2 | 4): DatePattern {
  const written = [...order].map((part) => parts[part as keyof typeof parts]).join(separator);
  return { name: yearDigits === 4 ? written : written.replace("YYYY", "YY"), order, separator, yearDigits };
}

/** The pattern of a name; undefined for a name of none. */
export function datePattern(name: string): DatePattern | undefined {
  return datePatterns.find((pattern) => pattern.name === name);
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const month =
  "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?";
const weekday = "(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\\.?,? +)?";
const time =
  "(?:(?:[T ]|, ?) *(\\d{1,2}):(\\d{2})(?::(\\d{2})(?:[.,](\\d{1,9}))?)?(?: ?([ap])\\.?m\\.?)?(?: ?(Z|UTC|GMT|[+-]\\d{2}:?\\d{2}))?)?$";
const monthFirst = new RegExp(`^${weekday}${month}[ -]+(\\d{1,2})(?:st|nd|rd|th)?(?:, ?| +|-)(\\d{4})${time}`, "i");
const dayFirst = new RegExp(`^${weekday}(\\d{1,2})(?:st|nd|rd|th|\\.)?[ -]+${month},?[ -]+(\\d{4}|\\d{2})${time}`, "i");
const compact = new RegExp(`^(\\d{4})(\\d{2})(\\d{2})${time}`, "i");
const yearFirst = new RegExp(`^(\\d{4}|\\d{2})([./-])(\\d{1,2})\\2(\\d{1,2})${time}`, "i");
const yearLast = new RegExp(`^(\\d{1,2})([./-])(\\d{1,2})\\2(\\d{4}|\\d{2})${time}`, "i");
/** Longer texts are no dates. */
const longest = 60;

/** Reads a text by a pattern; undefined where it is not written so. Without an offset it is UTC, as ISO 8601 is read here. */
export function readDate(text: string, pattern: DatePattern): ReadDate | undefined {
  if (text.length < 6 || text.length > longest) return undefined;
  const trimmed = text.trim();
  switch (pattern.separator) {
    case "name":
      return readNamed(trimmed, pattern);
    case "": {
      const [all, year, monthOf, day, ...rest] = compact.exec(trimmed) ?? [];
      return all === undefined ? undefined : made([Number(year), Number(monthOf), Number(day)], "YMD", rest);
    }
    default:
      return readNumbers(trimmed, pattern);
  }
}

function readNumbers(text: string, { order, separator, yearDigits }: DatePattern): ReadDate | undefined {
  const [all, first, between, second, third, ...rest] = (order === "YMD" ? yearFirst : yearLast).exec(text) ?? [];
  const year = order === "YMD" ? first : third;
  if (all === undefined || between !== separator || year?.length !== yearDigits) return undefined;
  return made([Number(first), Number(second), Number(third)], order, rest, yearDigits);
}

function readNamed(text: string, { order, yearDigits }: DatePattern): ReadDate | undefined {
  const [all, first, second, year, ...rest] = (order === "MDY" ? monthFirst : dayFirst).exec(text) ?? [];
  if (all === undefined || year?.length !== yearDigits) return undefined;
  const [word, day] = order === "MDY" ? [first, second] : [second, first];
  const monthOf = months.indexOf((word ?? "").slice(0, 3).toLowerCase()) + 1;
  return { ...made([Number(day), monthOf, Number(year)], "DMY", rest, yearDigits), parts: undefined };
}

function made(
  written: readonly [number, number, number],
  order: DateOrder,
  rest: readonly (string | undefined)[],
  yearDigits = 4,
): ReadDate {
  const part = (name: string) => written[order.indexOf(name)] as number;
  const year = yearDigits === 4 ? part("Y") : fullYear(part("Y"));
  const day = isoDay(year, part("M"), part("D"));
  const hasTime = rest[0] !== undefined;
  const clock = hasTime ? isoTime(rest) : "";
  return { iso: day === undefined || clock === undefined ? undefined : `${day}${clock}`, hasTime, parts: written };
}

/** As POSIX has it: 69–99 are of the last century. */
function fullYear(short: number): number {
  return short + (short < 69 ? 2000 : 1900);
}

function isoDay(year: number, monthOf: number, day: number): string | undefined {
  const text = `${pad(year, 4)}-${pad(monthOf)}-${pad(day)}`;
  return isDay(text) ? text : undefined;
}

function isoTime([hours, minutes, seconds, fraction, half, zone]: readonly (string | undefined)[]): string | undefined {
  const given = Number(hours);
  if (half !== undefined && (given < 1 || given > 12)) return undefined;
  const hour = half === undefined ? given : (given % 12) + (half.toLowerCase() === "p" ? 12 : 0);
  if (hour > 23 || Number(minutes) > 59 || Number(seconds ?? 0) > 59) return undefined;
  const offset = zone === undefined ? "" : /^[+-]/.test(zone) ? zone : "Z";
  const second = seconds === undefined ? "" : `:${seconds}${fraction === undefined ? "" : `.${fraction}`}`;
  return `T${pad(hour)}:${minutes}${second}${offset}`;
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, "0");
}
