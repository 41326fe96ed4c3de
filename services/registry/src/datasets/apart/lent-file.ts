import { read as readDescriptor } from "node:fs";
import { promisify } from "node:util";
import { AimassError } from "@aimass/core";
import { cachedFile, type DataFile } from "@aimass/datasets";
import type { FromReader, ToReader } from "./messages.ts";

/** Where the registry puts the descriptor of a local artifact: behind stdin, stdout, stderr and the channel. */
const lentDescriptor = 4;

const readAt = promisify(readDescriptor);

/** The artifact that the registry opened for this process, which does not know where it lies. */
export function lentFile(sizeBytes: number, hasDescriptor: boolean): DataFile {
  return hasDescriptor ? descriptorFile(sizeBytes) : cachedFile(askedFile(sizeBytes));
}

function descriptorFile(sizeBytes: number): DataFile {
  return {
    sizeBytes,
    async read(offset, length) {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, sizeBytes - offset)));
      for (let filled = 0; filled < bytes.length; ) {
        const { bytesRead } = await readAt(lentDescriptor, bytes, filled, bytes.length - filled, offset + filled);
        if (bytesRead === 0) throw new AimassError("DATA_LOSS", "The artifact became shorter while it was read.");
        filled += bytesRead;
      }
      return bytes;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Asks the registry for every part; it has the keys to the storage. */
function askedFile(sizeBytes: number): DataFile {
  const waiting = new Map<number, (bytes: Uint8Array) => void>();
  let last = 0;
  process.on("message", (message: ToReader) => {
    if (!("part" in message)) return;
    waiting.get(message.part)?.(message.bytes);
    waiting.delete(message.part);
  });
  return {
    sizeBytes,
    read: (offset, length) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        process.send?.({ wanted: last, offset, length } satisfies FromReader);
      }),
    [Symbol.asyncDispose]: async () => {},
  };
}
