import { crc32 } from "node:zlib";

/** A file to be packed. */
export interface ZipMember {
  /** Path inside the archive, with forward slashes. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Exactly `sizeBytes` bytes. */
  read(): Promise<Uint8Array>;
}

const localBytes = 30;
const entryBytes = 46;
const endBytes = 22;
const wideEndBytes = 56 + 20;
const wideExtraBytes = 12;
/** 1980-01-01, the first day that the format knows: equal files give equal archives. */
const firstDay = 0x21;
const utf8Names = 0x800;
const narrowMost = 0xffffffff;
/** Small files are handed on together. */
const handOnBytes = 256 * 1024;

/** Bytes of the archive that `zipStream` writes. */
export function zipSize(members: readonly ZipMember[]): number {
  let size = 0;
  let directory = 0;
  for (const member of members) {
    const name = Buffer.byteLength(member.name);
    directory += entryBytes + name + (size >= narrowMost ? wideExtraBytes : 0);
    size += localBytes + name + member.sizeBytes;
  }
  return size + directory + endBytes + (isWide(members.length, size, directory) ? wideEndBytes : 0);
}

/**
 * Packs files into a ZIP (APPNOTE.TXT 6.3.10, with ZIP64 where it must be), stored and not compressed, in the order given: the same files
 * give the same bytes. Memory: the largest file, and 60 bytes and the name of each. A file is less than 4 GiB.
 */
export async function* zipStream(members: readonly ZipMember[]): AsyncGenerator<Uint8Array> {
  const sums = new Uint32Array(members.length);
  const parts = new Parts();
  for (const [i, member] of members.entries()) {
    const bytes = await member.read();
    sums[i] = crc32(bytes);
    parts.add(localHeader(member, sums[i] as number), bytes);
    if (parts.sizeBytes >= handOnBytes) yield parts.take();
  }
  const start = members.reduce((sum, m) => sum + localBytes + Buffer.byteLength(m.name) + m.sizeBytes, 0);
  let offset = 0;
  let directory = 0;
  for (const [i, member] of members.entries()) {
    const entry = directoryEntry(member, sums[i] as number, offset);
    offset += localBytes + Buffer.byteLength(member.name) + member.sizeBytes;
    directory += entry.length;
    parts.add(entry);
    if (parts.sizeBytes >= handOnBytes) yield parts.take();
  }
  parts.add(endOfArchive(members.length, start, directory));
  yield parts.take();
}

function isWide(count: number, start: number, directory: number): boolean {
  return count >= 0xffff || start >= narrowMost || directory >= narrowMost;
}

function localHeader({ name, sizeBytes }: ZipMember, sum: number): Buffer {
  const path = Buffer.from(name);
  const header = Buffer.alloc(localBytes);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(utf8Names, 6);
  header.writeUInt16LE(firstDay, 12);
  header.writeUInt32LE(sum, 14);
  header.writeUInt32LE(sizeBytes, 18);
  header.writeUInt32LE(sizeBytes, 22);
  header.writeUInt16LE(path.length, 26);
  return Buffer.concat([header, path]);
}

function directoryEntry({ name, sizeBytes }: ZipMember, sum: number, offset: number): Buffer {
  const path = Buffer.from(name);
  const extra = offset >= narrowMost ? wideOffset(offset) : Buffer.alloc(0);
  const entry = Buffer.alloc(entryBytes);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(extra.length === 0 ? 20 : 45, 4);
  entry.writeUInt16LE(extra.length === 0 ? 20 : 45, 6);
  entry.writeUInt16LE(utf8Names, 8);
  entry.writeUInt16LE(firstDay, 14);
  entry.writeUInt32LE(sum, 16);
  entry.writeUInt32LE(sizeBytes, 20);
  entry.writeUInt32LE(sizeBytes, 24);
  entry.writeUInt16LE(path.length, 28);
  entry.writeUInt16LE(extra.length, 30);
  entry.writeUInt32LE(Math.min(offset, narrowMost), 42);
  return Buffer.concat([entry, path, extra]);
}

function wideOffset(offset: number): Buffer {
  const extra = Buffer.alloc(wideExtraBytes);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8, 2);
  extra.writeBigUInt64LE(BigInt(offset), 4);
  return extra;
}

function endOfArchive(count: number, start: number, directory: number): Buffer {
  const wide = isWide(count, start, directory);
  const end = Buffer.alloc(endBytes);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(wide ? 0xffff : count, 8);
  end.writeUInt16LE(wide ? 0xffff : count, 10);
  end.writeUInt32LE(wide ? narrowMost : directory, 12);
  end.writeUInt32LE(wide ? narrowMost : start, 16);
  return wide ? Buffer.concat([wideEnd(count, start, directory), end]) : end;
}

function wideEnd(count: number, start: number, directory: number): Buffer {
  const end = Buffer.alloc(wideEndBytes);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(45, 12);
  end.writeUInt16LE(45, 14);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(directory), 40);
  end.writeBigUInt64LE(BigInt(start), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(start + directory), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

/** Bytes that wait to be handed on together. */
class Parts {
  #waiting: Uint8Array[] = [];
  sizeBytes = 0;

  add(...parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#waiting.push(part);
      this.sizeBytes += part.length;
    }
  }

  take(): Uint8Array {
    const all = this.#waiting.length === 1 ? (this.#waiting[0] as Uint8Array) : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.sizeBytes = 0;
    return all;
  }
}
