import { type DatePattern, readDate } from "@aimass/core";

const date = /^\d{4}-\d{2}-\d{2}$/;
const datetime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Whether a text is an ISO 8601 day or moment. */
export function dateKind(text: string): "date" | "datetime" | undefined {
  if (text.length < 10 || text.length > 40) return undefined;
  if (date.test(text)) return Number.isNaN(timeOf(text)) ? undefined : "date";
  return datetime.test(text) && !Number.isNaN(timeOf(text)) ? "datetime" : undefined;
}

/** Milliseconds since 1970 of an ISO 8601 text; UTC when it names no offset; NaN when it is none. */
export function timeOf(text: string): number {
  if (date.test(text)) return isDay(text) ? Date.parse(text) : Number.NaN;
  if (!datetime.test(text) || !isDay(text)) return Number.NaN;
  const iso = text.replace(" ", "T");
  return Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(iso.slice(11)) ? iso : `${iso}Z`);
}

/** Refuses 2025-02-30, which Date.parse takes for the second of March. */
function isDay(text: string): boolean {
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text.slice(0, 10);
}

/** In ISO 8601 what a column holds whose dates are written by a pattern, or in ISO 8601 itself; undefined for a text that is no day. */
export function isoOf(text: string, pattern: DatePattern): string | undefined {
  return dateKind(text) === undefined ? readDate(text, pattern)?.iso : text;
}
