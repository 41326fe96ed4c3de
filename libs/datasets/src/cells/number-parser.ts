const powersOfTen = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
const maxExactDigits = 15;

const zero = 0x30;
const nine = 0x39;

/**
 * Reads decimal numbers from ASCII bytes: sign, digits, one point, exponent; spaces around are ignored.
 * Up to 15 digits with a power of ten to ±22 need no string: both are exact doubles, so one rounding gives the nearest double
 * (W. D. Clinger, "How to read floating point numbers accurately", 1990). Others go through `Number`.
 */
export class NumberParser {
  /** The number of the last call that said true. Overflow to infinity is not a number. */
  value = 0;
  /** Whether it was written without point and exponent. */
  integer = false;
  /** Whether it was written with zeros a number does not need: "007". */
  leadingZero = false;

  /** Whether bytes [start, end) are a number. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    let stop = end;
    while (at < stop && isSpace(bytes[at] as number)) at++;
    while (stop > at && isSpace(bytes[stop - 1] as number)) stop--;
    if (at === stop) return false;
    const begin = at;
    const first = bytes[at] as number;
    const negative = first === 0x2d;
    if (negative || first === 0x2b) at++;
    return this.#digits(bytes, at, stop, begin, negative);
  }

  #digits(bytes: Uint8Array, from: number, stop: number, begin: number, negative: boolean): boolean {
    let at = from;
    let mantissa = 0;
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
        if (point >= 0) scale--;
      } else if (byte === 0x2e && point < 0) {
        point = at;
      } else break;
    }
    if (digits === 0) return false;
    this.leadingZero = bytes[from] === zero && digits > 1 && point !== from + 1;
    this.integer = point < 0 && at === stop;
    if (at < stop) {
      const exponent = exponentAt(bytes, at, stop);
      if (exponent === undefined) return false;
      scale += exponent;
    }
    if (significant > maxExactDigits || scale > 22 || scale < -22) return this.#slowly(bytes, begin, stop);
    const magnitude =
      scale < 0 ? mantissa / (powersOfTen[-scale] as number) : mantissa * (powersOfTen[scale] as number);
    this.value = negative ? -magnitude : magnitude;
    return true;
  }

  #slowly(bytes: Uint8Array, start: number, end: number): boolean {
    this.value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1"));
    return Number.isFinite(this.value);
  }
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
