const quote = 0x22;
const backslash = 0x5c;
const zero = 0x30;
const nine = 0x39;
const point = 0x2e;

/** What a line of JSON is made of, seen without parsing it. */
export interface LineShape {
  /** Colons outside strings: the members of a flat object. */
  readonly members: number;
  /** How deep brackets nest. */
  readonly depth: number;
  /** Whether a number has 16 digits before its point, or 18 in all: a 64-bit float may lose some of them. */
  readonly hasLongNumbers: boolean;
}

/** Counts a line's brackets and colons outside strings. Says nothing about whether the line is JSON. */
export function lineShape(bytes: Uint8Array, start: number, end: number): LineShape {
  let members = 0;
  let depth = 0;
  let deepest = 0;
  let hasLongNumbers = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= zero && byte <= nine) {
      const digits = digitsFrom(bytes, at, end);
      if (digits.whole > 15 || digits.all > 17) hasLongNumbers = true;
      at = digits.end - 1;
      continue;
    }
    switch (byte) {
      case quote:
        at = stringEnd(bytes, at + 1, end);
        break;
      case 0x3a:
        members++;
        break;
      case 0x7b:
      case 0x5b:
        deepest = Math.max(deepest, ++depth);
        break;
      case 0x7d:
      case 0x5d:
        depth--;
        break;
    }
  }
  return { members, depth: deepest, hasLongNumbers };
}

/** Counts the digits of a number before its exponent. */
function digitsFrom(bytes: Uint8Array, from: number, end: number): { whole: number; all: number; end: number } {
  let all = 0;
  let whole = -1;
  let at = from;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= zero && byte <= nine) all++;
    else if (byte === point && whole < 0) whole = all;
    else break;
  }
  return { whole: whole < 0 ? all : whole, all, end: at };
}

function stringEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte === backslash) at++;
    else if (byte === quote) break;
  }
  return at;
}
