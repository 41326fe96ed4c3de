import { randomUUID } from "node:crypto";
import { mkdir, open, opendir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { asNoRoom, isMissing, syncDirectory } from "./file-system.ts";
import { assertRecordName, type RecordStore } from "./record-store.ts";

/** Records as read-only files of one directory, which is made when missing. */
export class FileRecordStore implements RecordStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    assertRecordName(name);
    signal?.throwIfAborted();
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const unfinished = join(this.#directory, `.${randomUUID()}`);
    try {
      await writeDurably(unfinished, bytes);
      await rename(unfinished, join(this.#directory, name));
      await syncDirectory(this.#directory);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw asNoRoom(error);
    }
  }

  async get(name: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    assertRecordName(name);
    try {
      return await readFile(join(this.#directory, name), { signal });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    assertRecordName(name);
    await rm(join(this.#directory, name), { force: true });
  }

  async *names(signal?: AbortSignal): AsyncIterable<string> {
    const directory = await opendir(this.#directory).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for await (const entry of directory) {
      signal?.throwIfAborted();
      if (entry.isFile() && !entry.name.startsWith(".")) yield entry.name;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "wx", 0o444);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
