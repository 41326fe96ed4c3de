import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { CompressionCodec } from "hyparquet";
import { badFile } from "../cells/bad-cell.ts";
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
    case "LZ4":
      return framedLz4(packed, size);
    default:
      throw badFile(
        `The Parquet file is packed with ${codec ?? "an unknown codec"}, which cannot be read.`,
        "Write it with snappy, zstd or gzip.",
      );
  }
}

/**
 * The codec that Parquet calls LZ4 and does not describe: blocks behind their unpacked and packed sizes, big-endian, as Hadoop writes them, or one bare block,
 * as other programs do.
 */
function framedLz4(packed: Uint8Array, size: number): Uint8Array {
  const blocks = hadoopBlocks(packed, size);
  if (blocks === undefined) return lz4Decompress(packed, size);
  const bytes = new Uint8Array(size);
  for (const { at, block, unpackedBytes } of blocks) bytes.set(lz4Decompress(block, unpackedBytes), at);
  return bytes;
}

interface FramedBlock {
  readonly at: number;
  readonly block: Uint8Array;
  readonly unpackedBytes: number;
}

/** Undefined when the sizes do not add up. */
function hadoopBlocks(packed: Uint8Array, size: number): readonly FramedBlock[] | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const blocks: FramedBlock[] = [];
  let at = 0;
  for (let from = 0; from < packed.byteLength; ) {
    if (from + 8 > packed.byteLength) return undefined;
    const [unpackedBytes, packedBytes] = [view.getUint32(from), view.getUint32(from + 4)];
    const end = from + 8 + packedBytes;
    if (end > packed.byteLength || at + unpackedBytes > size) return undefined;
    blocks.push({ at, block: packed.subarray(from + 8, end), unpackedBytes });
    at += unpackedBytes;
    from = end;
  }
  return at === size ? blocks : undefined;
}
