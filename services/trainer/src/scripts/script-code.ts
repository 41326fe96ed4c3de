import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AimassError } from "@aimass/core";
import type { JobWork } from "../worker/job-work.ts";

/** Bytes that a script's files may have together. */
export const codeBytesAtMost = 256 * 1024 * 1024;

/**
 * Lays a script's files into its working directory. Errors: those of the registry; INVALID_ARGUMENT for a path where a file is a folder too, and for files that
 * are larger than their spec says and than they may be.
 */
export async function fetchCode({ spec, library, signal }: JobWork, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const allowance = { bytes: codeBytesAtMost };
  for (const { path, sha256 } of spec.script?.files ?? []) {
    const file = join(directory, path);
    const bytes = Readable.from(within(allowance, library.read(sha256, signal), path), {
      objectMode: true,
      highWaterMark: 2,
    });
    try {
      await mkdir(dirname(file), { recursive: true });
      // Somebody may have made a small file of it that is to be started.
      await pipeline(bytes, createWriteStream(file, { flags: "wx", mode: 0o755 }), { signal });
    } catch (error) {
      throw asClash(error, path);
    }
  }
}

/** Passes chunks on while there is room for them. */
async function* within(
  left: { bytes: number },
  chunks: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    left.bytes -= chunk.length;
    if (left.bytes < 0) {
      throw new AimassError("INVALID_ARGUMENT", `With "${path}" the script's files are larger than 256 MiB.`, {
        field: "spec.script.files",
        remedy: "Leave out what is no code; data belong into the dataset.",
      });
    }
    yield chunk;
  }
}

function asClash(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== "EEXIST" && code !== "ENOTDIR" && code !== "EISDIR") return error;
  return new AimassError("INVALID_ARGUMENT", `The script's file "${path}" is in the way of another one.`, {
    field: "spec.script.files",
    cause: error,
  });
}
