import { isPlainFormat, type NumberFormat, plainNumber } from "@aimass/core";

/** Longer cells are no numbers that a person wrote. */
const longestFormatted = 400;
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
const maxExactDigits = 15;
const maxPairDigits = 19;

/** JavaScript writes smaller numbers with an exponent. */
const leastPlain = 1e-6;

const zero = 0x30;
const nine = 0x39;

/**
 * Reads decimal numbers from ASCII bytes: sign, digits, one point, exponent; spaces around are ignored. The result is the nearest double.
 * Up to 15 digits with a power of ten to ±22 need no string: both are exact doubles, so one rounding does it (W. D. Clinger, "How to read
 * floating point numbers accurately", 1990). Up to 19 digits over a power of ten are divided as a pair of doubles; when the pair is too
 * near to the middle between two doubles to tell, and for all others, `Number` reads the text.
 */
export class NumberParser {
  /** The number of the last call that said true. Overflow to infinity is not a number. */
  value = 0;
  /** Whether it was written without point and exponent. */
  integer = false;
  /** Digits from the first that is not zero on. */
  significant = 0;
  /** Whether it was written with zeros a number does not need: "007". */
  leadingZero = false;
  /** Whether `String(value)` is the text it was read from; false, too, for more than 15 digits, where that takes a closer look. */
  usual = false;

  readonly #format: NumberFormat | undefined;

  constructor(format: NumberFormat = {}) {
    this.#format = isPlainFormat(format) ? undefined : format;
  }

  /** A text that is a number, written with a point alone. */
  plain(text: string): string {
    return this.#format === undefined ? text : (plainNumber(text, this.#format) ?? text);
  }

  /** Whether bytes [start, end) are a number. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#format === undefined) return this.#parse(bytes, start, end);
    if (end - start > longestFormatted) return false;
    const plain = plainNumber(Buffer.from(bytes.subarray(start, end)).toString("utf8"), this.#format);
    if (plain === undefined) return false;
    const ascii = Buffer.from(plain);
    const isNumber = this.#parse(ascii, 0, ascii.length);
    this.usual &&= ascii.equals(bytes.subarray(start, end));
    return isNumber;
  }

  #parse(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    let stop = end;
    while (at < stop && isSpace(bytes[at] as number)) at++;
    while (stop > at && isSpace(bytes[stop - 1] as number)) stop--;
    if (at === stop) return false;
    const begin = at;
    const first = bytes[at] as number;
    const negative = first === 0x2d;
    if (negative || first === 0x2b) at++;
    const isNumber = this.#digits(bytes, at, stop, begin, negative);
    this.usual &&= begin === start && stop === end;
    return isNumber;
  }

  #digits(bytes: Uint8Array, from: number, stop: number, begin: number, negative: boolean): boolean {
    let at = from;
    let mantissa = 0;
    let tail = 0;
    let significant = 0;
    let digits = 0;
    let scale = 0;
    let point = -1;
    for (; at < stop; at++) {
      const byte = bytes[at] as number;
      if (byte >= zero && byte <= nine) {
        digits++;
        if (significant > 0 || byte !== zero) significant++;
        if (significant <= maxExactDigits) mantissa = mantissa * 10 + (byte - zero);
        else if (significant <= maxPairDigits) tail = tail * 10 + (byte - zero);
        if (point >= 0) scale--;
      } else if (byte === 0x2e && point < 0) {
        point = at;
      } else break;
    }
    if (digits === 0) return false;
    this.leadingZero = bytes[from] === zero && digits > 1 && point !== from + 1;
    this.integer = point < 0 && at === stop;
    this.significant = significant;
    this.usual =
      at === stop && significant <= maxExactDigits && !this.leadingZero && isUsual(bytes, begin, point, stop);
    if (at < stop) {
      const exponent = exponentAt(bytes, at, stop);
      if (exponent === undefined) return false;
      scale += exponent;
    }
    if (significant > maxPairDigits || scale > 22 || scale < -22) return this.#slowly(bytes, begin, stop);
    if (significant > maxExactDigits) {
      const quotient = scale > 0 ? Number.NaN : dividePair(mantissa, tail, significant - maxExactDigits, -scale);
      if (Number.isNaN(quotient)) return this.#slowly(bytes, begin, stop);
      this.value = negative ? -quotient : quotient;
      return true;
    }
    const magnitude =
      scale < 0 ? mantissa / (powersOfTen[-scale] as number) : mantissa * (powersOfTen[scale] as number);
    this.value = negative ? -magnitude : magnitude;
    if (magnitude < leastPlain) this.usual &&= magnitude === 0 && !negative;
    return true;
  }

  #slowly(bytes: Uint8Array, start: number, end: number): boolean {
    this.value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1"));
    return Number.isFinite(this.value);
  }
}

/** Whether digits [begin, stop) with their sign have no plus, no point at an end, and no zeros behind the point that a number does not need. */
function isUsual(bytes: Uint8Array, begin: number, point: number, stop: number): boolean {
  const first = bytes[begin] === 0x2d ? begin + 1 : begin;
  if ((bytes[first] as number) < zero) return false;
  return point < 0 || (point !== first && (bytes[stop - 1] as number) > zero);
}

const splitter = 2 ** 27 + 1;

/** What rounding the product of two doubles took away (T. J. Dekker, Numerische Mathematik 18, 1971). */
function productError(a: number, b: number, product: number): number {
  const wideA = splitter * a;
  const highA = wideA - (wideA - a);
  const lowA = a - highA;
  const wideB = splitter * b;
  const highB = wideB - (wideB - b);
  const lowB = b - highB;
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
}

/**
 * (head · 10^digits + tail) / 10^power to the nearest double; NaN when about 100 bits cannot tell which one that is.
 * Both powers are at most 22, so that they are exact.
 */
function dividePair(head: number, tail: number, digits: number, power: number): number {
  const shift = powersOfTen[digits] as number;
  const divisor = powersOfTen[power] as number;
  const product = head * shift;
  const high = product + tail;
  const low = tail - (high - product) + productError(head, shift, product);
  const first = high / divisor;
  const back = first * divisor;
  const rest = high - back - productError(first, divisor, back) + low;
  const second = rest / divisor;
  const sum = first + second;
  const error = second - (sum - first);
  return sum + error * (1 + 1e-10) === sum ? sum : Number.NaN;
}

/** The exponent written at `at`; undefined when it is none. */
function exponentAt(bytes: Uint8Array, at: number, stop: number): number | undefined {
  if (((bytes[at] as number) | 0x20) !== 0x65) return undefined;
  let next = at + 1;
  const sign = bytes[next];
  if (next < stop && (sign === 0x2b || sign === 0x2d)) next++;
  if (next >= stop) return undefined;
  let exponent = 0;
  for (; next < stop; next++) {
    const byte = bytes[next] as number;
    if (byte < zero || byte > nine) return undefined;
    exponent = Math.min(exponent * 10 + (byte - zero), 100_000);
  }
  return sign === 0x2d ? -exponent : exponent;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}
