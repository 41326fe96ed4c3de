const quote = 0x22;
const backslash = 0x5c;
const zero = 0x30;
const nine = 0x39;
const point = 0x2e;

/** More digits than these, before a number's point and in all, a 64-bit float may not keep. */
const mostWholeDigits = 15;
const mostDigits = 17;

/** What a line of JSON is made of, seen without parsing it. */
export interface LineShape {
  /** Colons outside strings, of the outermost object alone: its members. */
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
  // Of the number under way, from the first digit that is not zero on.
  let digits = 0;
  let most = mostWholeDigits;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= zero && byte <= nine) {
      if (digits > 0 || byte !== zero) digits++;
      if (digits > most) hasLongNumbers = true;
      continue;
    }
    if (byte === point) {
      most = mostDigits;
      continue;
    }
    digits = 0;
    most = mostWholeDigits;
    switch (byte) {
      case quote:
        at = stringEnd(bytes, at + 1, end);
        break;
      case 0x3a:
        if (depth === 1) members++;
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

/** Where a string ends: at its closing quote, or past the last byte. */
export function stringEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte === backslash) at++;
    else if (byte === quote) break;
  }
  return at;
}
