import { type DatePattern, dateKind, readDate } from "@aimass/core";

/** In ISO 8601 what a column holds whose dates are written by a pattern, or in ISO 8601 itself; undefined for a text that is no day. */
export function isoOf(text: string, pattern: DatePattern): string | undefined {
  return dateKind(text) === undefined ? readDate(text, pattern)?.iso : text;
}
