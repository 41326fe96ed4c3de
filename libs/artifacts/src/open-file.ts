import { open } from "node:fs/promises";
import { AimassError } from "@aimass/core";
import type { OpenArtifact } from "./artifact-store.ts";

/** A file of this machine, for reading from anywhere. Errors: those of the file system. */
export async function openFile(path: string): Promise<OpenArtifact> {
  const handle = await open(path, "r");
  try {
    const { size: sizeBytes } = await handle.stat();
    return {
      sizeBytes,
      descriptor: handle.fd,
      [Symbol.asyncDispose]: () => handle.close(),
      async read(offset, length, signal) {
        const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, sizeBytes - offset)));
        for (let filled = 0; filled < bytes.length; ) {
          signal?.throwIfAborted();
          const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, offset + filled);
          if (bytesRead === 0) throw new AimassError("DATA_LOSS", "The artifact became shorter while it was read.");
          filled += bytesRead;
        }
        return bytes;
      },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
