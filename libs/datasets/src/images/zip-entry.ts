import { crc32, inflateRawSync } from "node:zlib";
import { badFile } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { quote } from "../schema.ts";
import type { ZipEntry } from "./zip-directory.ts";

const localSize = 30;

/** Unpacks one file of an archive; never to more than the directory says, and checks its sum. */
export async function readEntry(file: DataFile, entry: ZipEntry, signal?: AbortSignal): Promise<Uint8Array> {
  const local = Buffer.from(await file.read(entry.offset, localSize, signal));
  if (local.length < localSize || local.readUInt32LE(0) !== 0x04034b50)
    throw damagedEntry(entry, "it does not begin where it should");
  const start = entry.offset + localSize + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + entry.packedBytes > file.sizeBytes) throw damagedEntry(entry, "it runs over the end of the file");
  const packed = await file.read(start, entry.packedBytes, signal);
  const bytes = entry.deflated ? inflate(entry, packed) : packed;
  if (bytes.byteLength !== entry.sizeBytes)
    throw damagedEntry(entry, `it unpacks to ${bytes.byteLength} bytes, not ${entry.sizeBytes}`);
  if (crc32(bytes) !== entry.crc32) throw damagedEntry(entry, "its checksum is wrong");
  return bytes;
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
