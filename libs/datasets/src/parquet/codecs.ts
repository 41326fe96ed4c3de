import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { CompressionCodec } from "hyparquet";
import { lz4Decompress } from "./lz4.ts";
import { snappyDecompress } from "./snappy.ts";

/**
 * Unpacks a page of a declared size, which the caller has checked. What unpacks to another size is damaged or a bomb and is refused;
 * nothing takes more than the declared size.
 */
export function decompress(codec: CompressionCodec | undefined, packed: Uint8Array, size: number): Uint8Array {
  const bytes = unpack(codec, packed, size);
  if (bytes.byteLength !== size) throw new Error(`it unpacks to ${bytes.byteLength} bytes instead of ${size}`);
  return bytes;
}

function unpack(codec: CompressionCodec | undefined, packed: Uint8Array, size: number): Uint8Array {
  if (codec !== "UNCOMPRESSED" && size === 0) return new Uint8Array(0);
  const options = { maxOutputLength: Math.max(size, 1) };
  switch (codec) {
    case "UNCOMPRESSED":
      return packed;
    case "SNAPPY":
      return snappyDecompress(packed, size);
    case "GZIP":
      return gunzipSync(packed, options);
    case "BROTLI":
      return brotliDecompressSync(packed, options);
    case "ZSTD":
      return zstdDecompressSync(packed, options);
    case "LZ4_RAW":
      return lz4Decompress(packed, size);
    default:
      throw new Error(
        `it is packed with ${codec ?? "an unknown codec"}, which is not supported; use snappy, zstd or gzip`,
      );
  }
}
