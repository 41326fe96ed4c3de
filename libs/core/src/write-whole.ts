import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file (mode 0600) whole or not at all, with turns of the event loop between the pieces. */
export async function writeWhole(file: string, chunks: Iterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}.new`;
  try {
    await writeChunks(fresh, chunks);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

async function writeChunks(file: string, chunks: Iterable<Uint8Array>): Promise<void> {
  await using handle = await open(file, "w", 0o600);
  for (const chunk of chunks) await handle.writeFile(chunk);
}
