import { type FileHandle, open } from "node:fs/promises";
import { AimassError } from "@aimass/core";

/** Bytes that may be read from anywhere: a local file, memory, or an object in a store. */
export interface DataFile extends AsyncDisposable {
  readonly sizeBytes: number;
  /** Exactly the bytes [offset, offset + length), fewer only at the end of the file. The caller owns them. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** A file of this machine. Dispose of it to close it. */
export async function localFile(path: string): Promise<DataFile> {
  const handle = await openForReading(path);
  try {
    const { size } = await handle.stat();
    return {
      sizeBytes: size,
      read: (offset, length, signal) => readAt(handle, offset, Math.min(length, Math.max(0, size - offset)), signal),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Bytes in memory as a file; they are not copied. */
export function memoryFile(bytes: Uint8Array): DataFile {
  return {
    sizeBytes: bytes.byteLength,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted();
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw new AimassError("NOT_FOUND", "The dataset's file cannot be opened.", { cause });
  }
}

async function readAt(handle: FileHandle, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new AimassError("DATA_LOSS", "The dataset's file became shorter while it was read.");
    filled += bytesRead;
  }
  return bytes;
}
