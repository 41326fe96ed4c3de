import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { badFile } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { quote } from "../schema.ts";
import type { ZipEntry } from "./zip-directory.ts";

const localSize = 30;
const blockBytes = 256 * 1024;

/** Unpacks one file of an archive; never to more than the directory says, and checks its sum. */
export async function readEntry(file: DataFile, entry: ZipEntry, signal?: AbortSignal): Promise<Uint8Array> {
  const start = await startOf(file, entry, signal);
  const packed = await file.read(start, entry.packedBytes, signal);
  const bytes = entry.deflated ? inflate(entry, packed) : packed;
  if (bytes.byteLength !== entry.sizeBytes)
    throw damagedEntry(entry, `it unpacks to ${bytes.byteLength} bytes, not ${entry.sizeBytes}`);
  if (crc32(bytes) !== entry.crc32) throw damagedEntry(entry, "its checksum is wrong");
  return bytes;
}

/** A file of an archive piece by piece, in memory that does not grow with it. Errors: as `readEntry`, at the latest after the last piece. */
export async function* entryPieces(
  file: DataFile,
  entry: ZipEntry,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const start = await startOf(file, entry, signal);
  const packed = Readable.from(packedBlocks(file, entry, start, signal));
  const unpacked = entry.deflated ? createInflateRaw({ chunkSize: blockBytes }) : packed;
  // Its failure comes out of the loop below, too.
  if (unpacked !== packed) pipeline(packed, unpacked as Transform).catch(() => {});
  let size = 0;
  let sum = 0;
  try {
    for await (const piece of unpacked as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > entry.sizeBytes) break;
      sum = crc32(piece, sum);
      yield piece;
    }
  } catch (error) {
    if (!/^(?:Z_|ERR_ZLIB)/.test((error as NodeJS.ErrnoException).code ?? "")) throw error;
    throw damagedEntry(entry, "it does not unpack to the size it declares", error);
  }
  if (size !== entry.sizeBytes) throw damagedEntry(entry, `it does not unpack to its ${entry.sizeBytes} bytes`);
  if (sum !== entry.crc32) throw damagedEntry(entry, "its checksum is wrong");
}

async function* packedBlocks(
  file: DataFile,
  { packedBytes }: ZipEntry,
  start: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < packedBytes; at += blockBytes)
    yield await file.read(start + at, Math.min(blockBytes, packedBytes - at), signal);
}

async function startOf(file: DataFile, entry: ZipEntry, signal: AbortSignal | undefined): Promise<number> {
  const local = Buffer.from(await file.read(entry.offset, localSize, signal));
  if (local.length < localSize || local.readUInt32LE(0) !== 0x04034b50)
    throw damagedEntry(entry, "it does not begin where it should");
  const start = entry.offset + localSize + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + entry.packedBytes > file.sizeBytes) throw damagedEntry(entry, "it runs over the end of the file");
  return start;
}

function inflate(entry: ZipEntry, packed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.sizeBytes) });
  } catch (cause) {
    throw damagedEntry(entry, "it does not unpack to the size it declares", cause);
  }
}

function damagedEntry(entry: ZipEntry, why: string, cause?: unknown): Error {
  return badFile(`The ZIP file's ${quote(entry.name)} is damaged: ${why}.`, "Pack the file anew.", cause);
}
