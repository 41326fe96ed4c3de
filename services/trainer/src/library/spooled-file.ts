import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type DataFile, localFile } from "@aimass/datasets";

/** Bytes on the local disk, to be read from anywhere. The file has no name any more when this resolves: it goes with the process, however that ends. */
export async function spool(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<DataFile> {
  const folder = await mkdtemp(join(tmpdir(), "aimass-trainer-"));
  try {
    const path = join(folder, "dataset");
    await pipeline(Readable.from(bytes, { objectMode: true, highWaterMark: 2 }), createWriteStream(path), { signal });
    return await localFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
