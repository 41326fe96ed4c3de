import { createHash } from "node:crypto";

/**
 * The length of an axis as far as it is known without running: a number times symbols, such as 12 · rows · L. Every symbol is a whole number of 0 or more that
 * is the same for all requests of a run, but for `rows`, which is what the run gathers.
 */
export interface Size {
  readonly factor: number;
  /** Sorted; one that comes twice is squared. */
  readonly symbols: readonly string[];
}

const mostSymbols = 64;

/** Longest name of a computed length; longer ones become a digest, so that a file cannot make them grow with every node. */
const longestName = 200;

/** Begins the symbols of numbers that may be less than 0, or no whole ones. */
const notNatural = "\u0000±";
/** Begins the symbols of lengths that may be 0 though none they are made of is. */
const mayVanish = "\u00000 ";
const vanishingOperators = new Set(["and", "div", "floor", "min", "mod", "not", "or"]);
const floatMark = `${notNatural}float `;

/** Operators that make whole numbers of 0 or more of such. Quotients of floating-point numbers have operands that are none. */
const lengthOperators = new Set([..."and broadcast ceil div floor max min mod not or sum".split(" ")]);

/** The rows of a run. */
export const rowsSymbol = "\u0000rows";

export const one: Size = { factor: 1, symbols: [] };
export const rowCount: Size = { factor: 1, symbols: [rowsSymbol] };

export function sizeOf(number: number): Size {
  return { factor: number, symbols: [] };
}

/** A length nothing is known of but its name: equal names are equal lengths. */
export function unknownSize(name: string): Size {
  return { factor: 1, symbols: [name] };
}

/** Throws RangeError for a product no real graph has: a file may square a length again and again. */
export function times(...sizes: readonly Size[]): Size {
  const factor = sizes.reduce((product, size) => product * size.factor, 1);
  const symbols = factor === 0 ? [] : sizes.flatMap((size) => size.symbols).sort();
  if (symbols.length > mostSymbols) throw new RangeError("A length is a product of too many lengths.");
  return { factor, symbols };
}

/** Exactly `left` ÷ `right`; undefined where that is no whole number of known factors. */
export function over(left: Size, right: Size): Size | undefined {
  const factor = left.factor / right.factor;
  if (!Number.isInteger(factor) || factor === 0) return undefined;
  const symbols = [...left.symbols];
  for (const symbol of right.symbols) {
    const at = symbols.indexOf(symbol);
    if (at < 0) return undefined;
    symbols.splice(at, 1);
  }
  return { factor, symbols };
}

/**
 * A number computed by `operator` of lengths that do not depend on the rows: its name says how, so that equal computations are equal numbers. It is a length
 * only where no operand and not the operator itself may give less than 0 or a fraction.
 */
export function computed(operator: string, ...sizes: readonly Size[]): Size {
  const parts = sizes.map(describe).join(",");
  const name = parts.length > longestName ? createHash("sha256").update(parts).digest("hex") : parts;
  const isLength = lengthOperators.has(operator) && sizes.every(isNatural);
  const length = vanishingOperators.has(operator) || sizes.some(mayBeZero) ? mayVanish : "";
  return unknownSize(`${isLength ? length : notNatural}${operator}(${name})`);
}

/** Whether a length may be 0 where every axis of the inputs has elements. */
export function mayBeZero({ factor, symbols }: Size): boolean {
  return factor === 0 || symbols.some((symbol) => symbol.startsWith(mayVanish));
}

/** Whether a size is a whole number of 0 or more whatever its symbols are, so that an axis may be as long. */
export function isNatural({ factor, symbols }: Size): boolean {
  return Number.isSafeInteger(factor) && factor >= 0 && !symbols.some((symbol) => symbol.startsWith(notNatural));
}

/** A length as a floating-point number: its quotients are not those of whole numbers, so its symbols are others. */
export function asFloat({ factor, symbols }: Size): Size {
  const names = symbols.map((symbol) => (symbol === rowsSymbol || isFloat(symbol) ? symbol : `${floatMark}${symbol}`));
  return { factor, symbols: names.sort() };
}

/** The whole number that a floating-point one was made of; undefined where it has been computed with. */
export function asWhole({ factor, symbols }: Size): Size | undefined {
  const names = symbols.map((symbol) => (isFloat(symbol) ? symbol.slice(floatMark.length) : symbol));
  const whole = { factor, symbols: names.sort() };
  return isNatural(whole) ? whole : undefined;
}

function isFloat(symbol: string): boolean {
  return symbol.startsWith(floatMark);
}

export function sameSize(left: Size, right: Size): boolean {
  return (
    left.factor === right.factor &&
    left.symbols.length === right.symbols.length &&
    left.symbols.every((symbol, index) => symbol === right.symbols[index])
  );
}

/** The number of a size without symbols. */
export function numberOf(size: Size | undefined): number | undefined {
  return size !== undefined && size.symbols.length === 0 ? size.factor : undefined;
}

export function isOne(size: Size | undefined): boolean {
  return numberOf(size) === 1;
}

export function dependsOnRows(size: Size | undefined): boolean {
  return size?.symbols.includes(rowsSymbol) ?? false;
}

/** A size as text: equal for equal sizes alone. */
export function describe({ factor, symbols }: Size): string {
  return [factor, ...symbols].join("*");
}
