import { crc32, deflateSync, zstdCompressSync } from "node:zlib";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";

/** A grey PNG; `claim` is the size its header names when that is another. */
export function pngFile(width: number, height: number, claim = { width, height }): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(claim.width, 0);
  header.writeUInt32BE(claim.height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (width + 1));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A Parquet file, compressed with zstd. */
export function parquetFile(columnData: ColumnSource[], options: { rowGroupSize?: number; pageSize?: number } = {}) {
  const compressors = { ZSTD: zstdCompressSync };
  const all = { columnData, compressors, codec: "ZSTD", statistics: false, ...options };
  return new Uint8Array(parquetWriteBuffer(all as Parameters<typeof parquetWriteBuffer>[0]));
}

/** A few kilobytes that keep a reader busy for many seconds: the same value, 210 million times. */
export function endlessFile(): Uint8Array {
  const data = new Array<string>(7e6).fill("same");
  const columns = Array.from({ length: 30 }, (_, index) => ({ name: `c${index}`, data, type: "STRING" as const }));
  return parquetFile(columns, { rowGroupSize: 100_000 });
}

function chunk(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}
