const quote = 0x22;
const backslash = 0x5c;

/** What a line of JSON is made of, seen without parsing it. */
export interface LineShape {
  /** Colons outside strings: the members of a flat object. */
  readonly members: number;
  /** How deep brackets nest. */
  readonly depth: number;
}

/** Counts a line's brackets and colons outside strings. Says nothing about whether the line is JSON. */
export function lineShape(bytes: Uint8Array, start: number, end: number): LineShape {
  let members = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = start; at < end; at++) {
    switch (bytes[at]) {
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
  return { members, depth: deepest };
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
