import type { Encoding, ParquetType } from "hyparquet";
import { ByteCursor, decodeDeltaLengths, decodeDeltas, decodeHybrid, decodeSharedPrefixes } from "./encodings.ts";

/** Values as Parquet stores them, before their logical type is looked at. */
export type RawValues =
  | { readonly type: "INT32"; readonly values: Int32Array }
  | { readonly type: "INT64"; readonly values: BigInt64Array }
  | { readonly type: "FLOAT"; readonly values: Float32Array }
  | { readonly type: "DOUBLE"; readonly values: Float64Array }
  | { readonly type: "BOOLEAN"; readonly values: Uint8Array }
  | { readonly type: "BYTES"; readonly values: readonly Uint8Array[] };

export interface RawOptions {
  readonly type: ParquetType;
  /** Bytes of a value of FIXED_LEN_BYTE_ARRAY. */
  readonly fixedLength: number | undefined;
  readonly encoding: Encoding | undefined;
  readonly count: number;
  /** Most bytes that byte strings may take together. */
  readonly budget: number;
}

const fixedWidths: Partial<Record<ParquetType, number>> = { INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8, INT96: 12 };

/** Values `indices` of a dictionary, in that order. */
export function takeRaw(raw: RawValues, indices: Uint32Array): RawValues {
  for (const index of indices) {
    if (index >= raw.values.length) throw new Error(`value ${index} of a dictionary of ${raw.values.length}`);
  }
  switch (raw.type) {
    case "INT32":
      return { type: raw.type, values: Int32Array.from(indices, (index) => raw.values[index] as number) };
    case "INT64":
      return {
        type: raw.type,
        values: BigInt64Array.from(Array.from(indices, (index) => raw.values[index] as bigint)),
      };
    case "FLOAT":
      return { type: raw.type, values: Float32Array.from(indices, (index) => raw.values[index] as number) };
    case "DOUBLE":
      return { type: raw.type, values: Float64Array.from(indices, (index) => raw.values[index] as number) };
    case "BOOLEAN":
      return { type: raw.type, values: Uint8Array.from(indices, (index) => raw.values[index] as number) };
    case "BYTES":
      return { type: raw.type, values: Array.from(indices, (index) => raw.values[index] as Uint8Array) };
  }
}

/** Decodes `count` values of every encoding but the dictionary ones. */
export function decodeRaw(cursor: ByteCursor, options: RawOptions): RawValues {
  const { type, encoding, count } = options;
  switch (encoding) {
    case "PLAIN":
      return decodePlain(cursor, options);
    case "RLE":
      if (type !== "BOOLEAN") break;
      return { type: "BOOLEAN", values: Uint8Array.from(decodeSizedHybrid(cursor, count)) };
    case "DELTA_BINARY_PACKED": {
      const values = decodeDeltas(cursor, count);
      if (type === "INT64") return { type, values };
      if (type === "INT32")
        return { type, values: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value))) };
      break;
    }
    case "DELTA_LENGTH_BYTE_ARRAY":
      if (type !== "BYTE_ARRAY") break;
      return { type: "BYTES", values: decodeDeltaLengths(cursor, count) };
    case "DELTA_BYTE_ARRAY":
      return { type: "BYTES", values: decodeSharedPrefixes(cursor, count, options.budget) };
    case "BYTE_STREAM_SPLIT":
      return decodePlain(new ByteCursor(joinStreams(cursor, widthOf(options), count)), options);
  }
  throw new Error(`its encoding ${encoding ?? "?"} does not fit ${type}`);
}

function decodeSizedHybrid(cursor: ByteCursor, count: number): Uint32Array {
  const length = cursor.uint32();
  const start = cursor.skip(length);
  return decodeHybrid(new ByteCursor(cursor.bytes, start, cursor.at), 1, count);
}

function decodePlain(cursor: ByteCursor, options: RawOptions): RawValues {
  const { type, count } = options;
  switch (type) {
    case "BOOLEAN": {
      const start = cursor.skip(Math.ceil(count / 8));
      const values = new Uint8Array(count);
      for (let i = 0; i < count; i++) values[i] = ((cursor.bytes[start + (i >>> 3)] as number) >>> (i & 7)) & 1;
      return { type, values };
    }
    case "INT32":
      return { type, values: new Int32Array(aligned(cursor, count * 4)) };
    case "INT64":
      return { type, values: new BigInt64Array(aligned(cursor, count * 8)) };
    case "FLOAT":
      return { type, values: new Float32Array(aligned(cursor, count * 4)) };
    case "DOUBLE":
      return { type, values: new Float64Array(aligned(cursor, count * 8)) };
    case "BYTE_ARRAY":
      return { type: "BYTES", values: decodeByteStrings(cursor, count) };
    default:
      return { type: "BYTES", values: decodeFixed(cursor, widthOf(options), count) };
  }
}

/** Parquet is little-endian, and so is every machine Node.js runs on. */
function aligned(cursor: ByteCursor, length: number): ArrayBuffer {
  const start = cursor.skip(length);
  // Not bytes.slice: a Buffer's is a view.
  const copy = new Uint8Array(length);
  copy.set(cursor.bytes.subarray(start, start + length));
  return copy.buffer;
}

function decodeByteStrings(cursor: ByteCursor, count: number): Uint8Array[] {
  if (count * 4 > cursor.end - cursor.at) throw new Error("values run over the end of the page");
  return Array.from({ length: count }, () => {
    const start = cursor.skip(cursor.uint32());
    return cursor.bytes.subarray(start, cursor.at);
  });
}

function decodeFixed(cursor: ByteCursor, width: number, count: number): Uint8Array[] {
  const start = cursor.skip(width * count);
  return Array.from({ length: count }, (_, i) => cursor.bytes.subarray(start + i * width, start + (i + 1) * width));
}

function widthOf({ type, fixedLength }: RawOptions): number {
  const width = fixedWidths[type] ?? fixedLength ?? 0;
  if (width <= 0) throw new Error(`${type} has no width`);
  return width;
}

function joinStreams(cursor: ByteCursor, width: number, count: number): Uint8Array {
  const start = cursor.skip(width * count);
  const joined = new Uint8Array(width * count);
  for (let byte = 0; byte < width; byte++) {
    for (let i = 0; i < count; i++) joined[i * width + byte] = cursor.bytes[start + byte * count + i] as number;
  }
  return joined;
}
