/** Unpacks one Snappy block (https://github.com/google/snappy/blob/main/format_description.txt) of a known size. */
export function snappyDecompress(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = preambleLength(packed);
  let filled = 0;
  while (at < packed.length) {
    const tag = packed[at++] as number;
    let length = (tag >>> 2) + 1;
    const kind = tag & 3;
    if (kind === 0) {
      if (length > 60) {
        const lengthBytes = length - 60;
        length = littleEndian(packed, at, lengthBytes) + 1;
        at += lengthBytes;
      }
      if (at + length > packed.length || filled + length > size) throw new Error("Snappy literals run over the end");
      out.set(packed.subarray(at, at + length), filled);
      at += length;
      filled += length;
      continue;
    }
    const offsetBytes = kind === 3 ? 4 : kind;
    let offset = littleEndian(packed, at, offsetBytes);
    at += offsetBytes;
    if (kind === 1) {
      offset += (tag >>> 5) << 8;
      length = ((tag >>> 2) & 7) + 4;
    }
    if (offset === 0 || offset > filled) throw new Error("a Snappy offset points outside");
    if (filled + length > size) throw new Error("a Snappy copy runs over the end");
    if (offset >= length) out.copyWithin(filled, filled - offset, filled - offset + length);
    else for (let i = filled; i < filled + length; i++) out[i] = out[i - offset] as number;
    filled += length;
  }
  return out.subarray(0, filled);
}

/** The packed bytes begin with the size, which the page's header has already told. */
function preambleLength(packed: Uint8Array): number {
  let at = 0;
  while (at < packed.length && (packed[at] as number) >= 0x80) at++;
  if (at >= Math.min(5, packed.length)) throw new Error("the Snappy size is cut off");
  return at + 1;
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  if (at + length > bytes.length) throw new Error("a Snappy element is cut off");
  let value = 0;
  for (let i = 0; i < length; i++) value += (bytes[at + i] as number) * 2 ** (8 * i);
  return value;
}
