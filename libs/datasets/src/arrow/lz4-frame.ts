import { lz4Into } from "../parquet/lz4.ts";

/** Unpacks an LZ4 frame (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) of a known size; sums are not checked. Errors: RangeError, Error. */
export function lz4Frame(packed: Uint8Array, size: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (view.getUint32(0, true) !== 0x184d2204) throw new Error("it is no LZ4 frame");
  const flags = view.getUint8(4);
  let at = 7 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0);
  const out = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return out.subarray(0, filled);
    const length = word & 0x7fffffff;
    if (at + length > packed.byteLength) throw new Error("an LZ4 block is cut off");
    const block = packed.subarray(at, at + length);
    if (word >>> 31 === 1) {
      out.set(block, filled);
      filled += length;
    } else filled = lz4Into(block, out, filled);
    at += length + ((flags & 16) !== 0 ? 4 : 0);
  }
}
