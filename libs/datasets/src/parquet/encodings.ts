/** A place in bytes that only moves forward and never over the end. */
export class ByteCursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.byteLength) {
    if (at > end || end > bytes.byteLength) throw new Error("a section runs over the end of the page");
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }

  /** Goes past `length` bytes; says where they begin. */
  skip(length: number): number {
    const start = this.at;
    if (!(length >= 0) || length > this.end - start) throw new Error("values run over the end of the page");
    this.at = start + length;
    return start;
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  /** An unsigned LEB128 number of at most 32 bits. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.skip(1)] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error("a number is longer than 32 bits");
  }

  /** A signed (zigzag) LEB128 number of at most 64 bits. */
  zigzag(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.skip(1)] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw new Error("a number is longer than 64 bits");
  }
}

/**
 * `count` numbers of `width` bits in the hybrid of runs and bit packing
 * (https://parquet.apache.org/docs/file-format/data-pages/encodings/, RLE = 3).
 */
export function decodeHybrid(cursor: ByteCursor, width: number, count: number): Uint32Array {
  if (width > 32) throw new Error(`${width} bits are too many`);
  const values = new Uint32Array(count);
  let filled = 0;
  while (filled < count) {
    const header = cursor.varint();
    if (header % 2 === 1) filled = unpackBits(cursor, { width, groups: (header - 1) / 2, values, filled });
    else {
      const start = cursor.skip((width + 7) >> 3);
      let value = 0;
      for (let i = 0; i < (width + 7) >> 3; i++) value += (cursor.bytes[start + i] as number) * 2 ** (8 * i);
      const end = Math.min(count, filled + header / 2);
      values.fill(value, filled, end);
      filled = end;
    }
  }
  return values;
}

interface BitRun {
  readonly width: number;
  /** Groups of eight values. */
  readonly groups: number;
  readonly values: Uint32Array;
  readonly filled: number;
}

function unpackBits(cursor: ByteCursor, { width, groups, values, filled }: BitRun): number {
  const wanted = Math.min(groups * 8, values.length - filled);
  // The last run may be cut off after its last value.
  const start = cursor.skip(Math.min(groups * width, cursor.end - cursor.at));
  if (cursor.at - start < Math.ceil((wanted * width) / 8))
    throw new Error("packed values run over the end of the page");
  const { bytes } = cursor;
  let bits = 0;
  let held = 0;
  let at = start;
  for (let i = filled; i < filled + wanted; i++) {
    if (width > 24) {
      values[i] = bitsAt(bytes, start * 8 + (i - filled) * width, width);
      continue;
    }
    while (held < width) {
      bits |= (bytes[at++] as number) << held;
      held += 8;
    }
    values[i] = bits & ((1 << width) - 1);
    bits >>>= width;
    held -= width;
  }
  return filled + wanted;
}

/** `width` ≤ 53 bits from bit `from` on, least significant first. */
function bitsAt(bytes: Uint8Array, from: number, width: number): number {
  let value = 0;
  for (let bit = 0; bit < width; ) {
    const position = from + bit;
    const taken = Math.min(8 - (position & 7), width - bit);
    value += (((bytes[position >>> 3] as number) >>> (position & 7)) & ((1 << taken) - 1)) * 2 ** bit;
    bit += taken;
  }
  return value;
}

/** Numbers written as differences (DELTA_BINARY_PACKED = 5), wrapping at 64 bits. */
export function decodeDeltas(cursor: ByteCursor, count: number): BigInt64Array {
  const blockSize = cursor.varint();
  const miniblocks = cursor.varint();
  const total = cursor.varint();
  const perMiniblock = blockSize / miniblocks;
  if (miniblocks === 0 || miniblocks > 512 || blockSize > 1 << 20 || perMiniblock % 8 !== 0 || perMiniblock === 0) {
    throw new Error("the blocks of differences have an impossible size");
  }
  if (total !== count) throw new Error(`there are ${total} differences for ${count} values`);
  const values = new BigInt64Array(count);
  let value = cursor.zigzag();
  if (count > 0) values[0] = value;
  let filled = 1;
  while (filled < count) {
    const least = cursor.zigzag();
    const widths = cursor.skip(miniblocks);
    for (let block = 0; block < miniblocks && filled < count; block++) {
      const width = cursor.bytes[widths + block] as number;
      if (width > 64) throw new Error(`${width} bits are too many`);
      const wanted = Math.min(perMiniblock, count - filled);
      const start = cursor.skip(Math.min((perMiniblock * width) / 8, cursor.end - cursor.at));
      if (cursor.at - start < Math.ceil((wanted * width) / 8))
        throw new Error("differences run over the end of the page");
      for (let i = 0; i < wanted; i++) {
        value = BigInt.asIntN(64, value + least + wideBitsAt(cursor.bytes, start * 8 + i * width, width));
        values[filled++] = value;
      }
    }
  }
  return values;
}

function wideBitsAt(bytes: Uint8Array, from: number, width: number): bigint {
  if (width <= 48) return BigInt(bitsAt(bytes, from, width));
  return BigInt(bitsAt(bytes, from, 32)) | (BigInt(bitsAt(bytes, from + 32, width - 32)) << 32n);
}

/** Byte strings after their lengths (DELTA_LENGTH_BYTE_ARRAY = 6). */
export function decodeDeltaLengths(cursor: ByteCursor, count: number): Uint8Array[] {
  const lengths = decodeDeltas(cursor, count);
  return Array.from(lengths, (length) => {
    const start = cursor.skip(Number(length));
    return cursor.bytes.subarray(start, cursor.at);
  });
}

/** Byte strings that share the beginning of the one before (DELTA_BYTE_ARRAY = 7), of at most `budget` bytes together. */
export function decodeSharedPrefixes(cursor: ByteCursor, count: number, budget: number): Uint8Array[] {
  const prefixes = decodeDeltas(cursor, count);
  const suffixes = decodeDeltaLengths(cursor, count);
  let before: Uint8Array = new Uint8Array(0);
  let left = budget;
  return suffixes.map((suffix, index) => {
    const shared = Number(prefixes[index]);
    if (shared < 0 || shared > before.byteLength) throw new Error("a value shares more than the one before it has");
    left -= shared + suffix.byteLength;
    if (left < 0) throw new Error(`its values are longer than ${budget.toLocaleString("en")} bytes together`);
    if (shared === 0) before = suffix;
    else before = Buffer.concat([before.subarray(0, shared), suffix]);
    return before;
  });
}
