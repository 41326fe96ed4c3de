/** Unpacks one LZ4 block (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md) to at most `size` bytes. */
export function lz4Decompress(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  return out.subarray(0, lz4Into(packed, out, 0));
}

/** Unpacks a block behind the first `start` bytes of `out`, to which it may refer; says how many there are then. */
export function lz4Into(packed: Uint8Array, out: Uint8Array, start: number): number {
  const size = out.length;
  let at = 0;
  let filled = start;
  const length = (nibble: number): number => {
    let total = nibble;
    if (nibble !== 15) return total;
    for (;;) {
      if (at >= packed.length) throw new Error("an LZ4 length is cut off");
      const more = packed[at++] as number;
      total += more;
      if (more !== 255) return total;
    }
  };
  while (at < packed.length) {
    const token = packed[at++] as number;
    const literals = length(token >>> 4);
    if (at + literals > packed.length || filled + literals > size) throw new Error("LZ4 literals run over the end");
    out.set(packed.subarray(at, at + literals), filled);
    at += literals;
    filled += literals;
    if (at >= packed.length) break;
    if (at + 2 > packed.length) throw new Error("an LZ4 offset is cut off");
    const offset = (packed[at] as number) | ((packed[at + 1] as number) << 8);
    at += 2;
    const matched = length(token & 15) + 4;
    if (offset === 0 || offset > filled) throw new Error("an LZ4 offset points outside");
    if (filled + matched > size) throw new Error("an LZ4 match runs over the end");
    for (let i = 0; i < matched; i++, filled++) out[filled] = out[filled - offset] as number;
  }
  return filled;
}
