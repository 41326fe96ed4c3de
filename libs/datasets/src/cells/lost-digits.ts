import { quote } from "../schema.ts";
import { keepAsText } from "./bad-cell.ts";

/** Digits that every 64-bit float keeps, and most that any needs. */
export const keptDigits = { always: 15, most: 17 } as const;

/**
 * What a number loses when the nearest 64-bit float stands for it. "whole": digits before the point, so that 9007199254740993 would be its neighbour;
 * whole numbers beyond 2^53 always count as such, since ids among them would come to be the same. "fraction": digits after the 17th that are not zero.
 * A number written with an exponent is a measurement and loses fractions at most.
 */
export function lostDigits(text: string, value: number): "whole" | "fraction" | undefined {
  const written = /^\s*[+-]?0*(\d*)(?:\.(\d*))?(e[+-]?\d+)?\s*$/i.exec(text);
  if (written === null) return undefined;
  const [, whole = "", fraction, exponent] = written;
  if (fraction === undefined && exponent === undefined && !Number.isSafeInteger(value)) return "whole";
  const digits = `${whole}${fraction ?? ""}`.replace(/^0+|0+$/g, "");
  if (digits.length <= keptDigits.always) return undefined;
  const isLarge = exponent === undefined && Math.abs(value) >= 2 ** 53;
  if (!isLarge && digits.length <= keptDigits.most) return undefined;
  if (digits.length <= 100 && digits === significantDigits(value, digits.length)) return undefined;
  return isLarge ? "whole" : "fraction";
}

function significantDigits(value: number, count: number): string {
  return value
    .toPrecision(count)
    .replace(/e.*$|[-.]/g, "")
    .replace(/^0+|0+$/g, "");
}

/** What a person should know of a column that is text for the sake of one number. */
export function textForDigits(column: string, text: string, row: number): string {
  return `Column ${quote(column)} is kept as text: ${quote(text)} in row ${row} would lose digits as a number.`;
}

/** What a person should know of a column of numbers that were rounded. */
export function roundedDigits(column: string, text: string): string {
  return `Column ${quote(column)} has numbers of more digits than the ${keptDigits.most} that are kept, such as ${text}; they are rounded. ${keepAsText(column)}`;
}

/** Why a number is refused in a column that must hold numbers. */
export function beyondExact(text: string): string {
  const what = text.includes(".") ? "is a number" : "is an integer";
  return `${what} beyond 2^53, which a 64-bit float cannot hold exactly`;
}
