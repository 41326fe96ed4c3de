import { badFile } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { type Limits, overLimit } from "../limits.ts";
import { quote } from "../schema.ts";
import { refusePacked } from "../seeking-format.ts";

/** A file in a ZIP archive, as its central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly offset: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly crc32: number;
  readonly deflated: boolean;
}

const endSize = 22;
const longestComment = 0xffff;
const entrySize = 46;
const localSize = 30;
const smallEntry = 1024 * 1024;
const remedy = "Pack the folders anew with an ordinary ZIP program.";

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads the list of files of a ZIP archive (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, with ZIP64), folders left out.
 * Refuses before anything is unpacked: encrypted files, other methods than stored and deflate, names that leave the archive, files that
 * overlap, and sizes over the limits.
 */
export async function readZip(
  file: DataFile,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<readonly ZipEntry[]> {
  await refusePacked(file, "image-zip", signal);
  const directory = await findDirectory(file, signal);
  if (directory.entries > limits.zipEntries) {
    throw overLimit("zipEntries", limits, `The ZIP file has ${directory.entries.toLocaleString("en")} entries`);
  }
  if (!(directory.offset >= 0 && directory.offset + directory.size <= file.sizeBytes))
    throw damagedZip("its list of files lies outside");
  if (directory.size > directory.entries * (entrySize + 3 * 0xffff)) throw damagedZip("its list of files is too long");
  const reader = new DirectoryReader(file, directory, limits, signal);
  const entries = await reader.entries();
  checkOverlap(entries, directory.offset);
  return entries;
}

function damagedZip(why: string): Error {
  return badFile(`The ZIP file is damaged: ${why}.`, remedy);
}

async function findDirectory(file: DataFile, signal: AbortSignal | undefined): Promise<Directory> {
  const length = Math.min(file.sizeBytes, endSize + longestComment);
  const tail = Buffer.from(await file.read(file.sizeBytes - length, length, signal));
  for (let at = tail.length - endSize; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== 0x06054b50) continue;
    if (at + endSize + tail.readUInt16LE(at + 20) !== tail.length) continue;
    const entries = tail.readUInt16LE(at + 10);
    const size = tail.readUInt32LE(at + 12);
    const offset = tail.readUInt32LE(at + 16);
    if (entries !== 0xffff && size !== 0xffffffff && offset !== 0xffffffff) return { entries, size, offset };
    return (await findZip64(file, file.sizeBytes - length + at, signal)) ?? { entries, size, offset };
  }
  throw badFile("This is no ZIP file: it has no list of files at its end.", remedy);
}

async function findZip64(file: DataFile, end: number, signal: AbortSignal | undefined): Promise<Directory | undefined> {
  if (end < 20) return undefined;
  const locator = Buffer.from(await file.read(end - 20, 20, signal));
  if (locator.readUInt32LE(0) !== 0x07064b50) return undefined;
  const at = Number(locator.readBigUInt64LE(8));
  if (at + 56 > end) throw damagedZip("its ZIP64 record lies outside");
  const record = Buffer.from(await file.read(at, 56, signal));
  if (record.readUInt32LE(0) !== 0x06064b50) throw damagedZip("it has no ZIP64 record");
  return {
    entries: Number(record.readBigUInt64LE(32)),
    size: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  };
}

/** Goes through the central directory in pieces. */
class DirectoryReader {
  readonly #file: DataFile;
  readonly #directory: Directory;
  readonly #limits: Limits;
  readonly #signal: AbortSignal | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #total = 0;

  constructor(file: DataFile, directory: Directory, limits: Limits, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#directory = directory;
    this.#limits = limits;
    this.#signal = signal;
  }

  async entries(): Promise<ZipEntry[]> {
    const entries: ZipEntry[] = [];
    let at = 0;
    for (let index = 0; index < this.#directory.entries; index++) {
      const fixed = await this.#at(at, entrySize);
      if (fixed.readUInt32LE(0) !== 0x02014b50) throw damagedZip(`entry ${index + 1} of its list is unreadable`);
      const nameBytes = fixed.readUInt16LE(28);
      const extraBytes = fixed.readUInt16LE(30);
      const length = entrySize + nameBytes + extraBytes + fixed.readUInt16LE(32);
      const entry = this.#entry(await this.#at(at, length), nameBytes, extraBytes);
      at += length;
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  async #at(at: number, length: number): Promise<Buffer> {
    if (at + length > this.#directory.size) throw damagedZip("its list of files is cut off");
    if (at < this.#start || at + length > this.#start + this.#bytes.length) {
      const wanted = Math.min(Math.max(length, 256 * 1024), this.#directory.size - at);
      const bytes = await this.#file.read(this.#directory.offset + at, wanted, this.#signal);
      this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#start = at;
    }
    return this.#bytes.subarray(at - this.#start, at - this.#start + length);
  }

  #entry(bytes: Buffer, nameBytes: number, extraBytes: number): ZipEntry | undefined {
    const flags = bytes.readUInt16LE(8);
    const method = bytes.readUInt16LE(10);
    const name = bytes.toString((flags & 0x800) !== 0 ? "utf8" : "latin1", entrySize, entrySize + nameBytes);
    checkName(name);
    if (name.endsWith("/")) return undefined;
    if ((flags & 0x2041) !== 0)
      throw badFile(`The ZIP file's ${quote(name)} is encrypted.`, "Pack it without a password.");
    if (method !== 0 && method !== 8)
      throw badFile(`The ZIP file's ${quote(name)} is packed with method ${method}.`, "Pack it with deflate.");
    const wide = wideSizes(bytes.subarray(entrySize + nameBytes, entrySize + nameBytes + extraBytes), {
      sizeBytes: bytes.readUInt32LE(24),
      packedBytes: bytes.readUInt32LE(20),
      offset: bytes.readUInt32LE(42),
    });
    const entry = { name, ...wide, crc32: bytes.readUInt32LE(16), deflated: method === 8 };
    this.#checkSizes(entry);
    return entry;
  }

  #checkSizes(entry: ZipEntry): void {
    const { name, sizeBytes, packedBytes, deflated } = entry;
    const limits = this.#limits;
    const unpacks = `The ZIP file's ${quote(name)} unpacks to ${sizeBytes.toLocaleString("en")} bytes`;
    if (sizeBytes > limits.zipEntryBytes) throw overLimit("zipEntryBytes", limits, unpacks);
    if (sizeBytes > smallEntry && sizeBytes > packedBytes * limits.zipRatio) {
      throw overLimit(
        "zipRatio",
        limits,
        `${unpacks}, ${Math.round(sizeBytes / Math.max(1, packedBytes))} times its packed size`,
      );
    }
    if (!deflated && sizeBytes !== packedBytes) throw damagedZip(`${quote(name)} has two sizes`);
    this.#total += sizeBytes;
    if (this.#total > limits.zipTotalBytes) {
      throw overLimit(
        "zipTotalBytes",
        limits,
        `The ZIP file unpacks to at least ${this.#total.toLocaleString("en")} bytes`,
      );
    }
  }
}

function checkName(name: string): void {
  const parts = name.split(/[/\\]/);
  if (name.includes("\0") || /^([/\\]|[A-Za-z]:)/.test(name) || parts.includes("..") || name.includes("\\")) {
    throw badFile(
      `The ZIP file has an entry named ${quote(name)}, which is no path inside it.`,
      "Use plain relative paths: label/name.png.",
    );
  }
}

/** Sizes of the ZIP64 extra field where those of the entry say so. */
function wideSizes(extra: Buffer, sizes: Pick<ZipEntry, "sizeBytes" | "packedBytes" | "offset">) {
  const narrow = [sizes.sizeBytes, sizes.packedBytes, sizes.offset];
  if (!narrow.includes(0xffffffff)) return sizes;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    const wide = narrow.map((value) => {
      if (value !== 0xffffffff) return value;
      if (next + 8 > extra.length) throw damagedZip("a ZIP64 size is cut off");
      next += 8;
      return Number(extra.readBigUInt64LE(next - 8));
    });
    return { sizeBytes: wide[0] as number, packedBytes: wide[1] as number, offset: wide[2] as number };
  }
  return sizes;
}

/** Files that share their bytes unpack to far more than their limits add up to (D. Fifield, "A better zip bomb", WOOT 2019). */
function checkOverlap(entries: readonly ZipEntry[], directoryOffset: number): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  for (const [index, entry] of sorted.entries()) {
    const end = entry.offset + localSize + entry.packedBytes;
    const next = sorted[index + 1]?.offset ?? directoryOffset;
    if (end > next) throw badFile(`The ZIP file's ${quote(entry.name)} overlaps with what comes after it.`, remedy);
  }
}
