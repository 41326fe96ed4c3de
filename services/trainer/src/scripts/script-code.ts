import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AimassError } from "@aimass/core";
import type { JobWork } from "../worker/job-work.ts";

/** Lays a script's files into its working directory. Errors: those of the registry, INVALID_ARGUMENT for a path where a file is a folder too. */
export async function fetchCode({ spec, library, signal }: JobWork, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const { path, sha256 } of spec.script?.files ?? []) {
    const file = join(directory, path);
    const bytes = Readable.from(library.read(sha256, signal), { objectMode: true, highWaterMark: 2 });
    try {
      await mkdir(dirname(file), { recursive: true });
      // Somebody may have made a small file of it that is to be started.
      await pipeline(bytes, createWriteStream(file, { flags: "wx", mode: 0o755 }), { signal });
    } catch (error) {
      throw asClash(error, path);
    }
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
