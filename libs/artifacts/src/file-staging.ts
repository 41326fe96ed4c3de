import { constants, createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, KeyedLock } from "@aimass/core";
import type { UploadPlan } from "./artifact-store.ts";
import { noRoom } from "./errors.ts";
import { asNoRoom, isMissing, syncDirectory } from "./file-system.ts";
import { type StagedUpload, type StagedWriter, type Staging, StagingMoved } from "./staging.ts";

export interface FileStagingOptions {
  /** Holds `<id>.part` (the bytes) and `<id>.json` (the plan); on the file system of the artifacts. */
  readonly directory: string;
  readonly pathOf: (sha256: string) => string;
  readonly clock: Clock;
}

/**
 * Room that uploads leave alone: logs and the database live on the same disks. A share of the disk within bounds, in bytes; what is being written may use half of it,
 * which others took since the upload was announced.
 */
const reservedShare = 0.05;
const leastReserveBytes = 32 * 1024 * 1024;
const mostReserveBytes = 10 * 1024 * 1024 * 1024;
/** An upload nothing came of for this long has room no longer kept for it, so that announcing alone cannot fill a disk. */
const idleMs = 15 * 60_000;

/** Unfinished uploads as files. */
export class FileStaging implements Staging {
  readonly #options: FileStagingOptions;
  readonly #creating = new KeyedLock();

  constructor(options: FileStagingOptions) {
    this.#options = options;
  }

  /** One after another: each sees what the one before it takes. */
  create(id: string, plan: UploadPlan): Promise<void> {
    return this.#creating.run("", () => this.#create(id, plan));
  }

  async #create(id: string, plan: UploadPlan): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    await this.drop(id);
    await assertRoom(this.#options.directory, plan.sizeBytes + (await this.#outstandingBytes()), 1);
    try {
      await writeFile(this.#part(id), "", { mode: 0o600 });
      await this.#touch(id);
      // The plan appears last and whole: an upload without one does not exist.
      await writeFile(`${this.#plan(id)}.new`, JSON.stringify(plan), { mode: 0o600 });
      await rename(`${this.#plan(id)}.new`, this.#plan(id));
    } catch (error) {
      await this.drop(id);
      throw asNoRoom(error);
    }
  }

  async find(id: string): Promise<StagedUpload | undefined> {
    try {
      const plan = JSON.parse(await readFile(this.#plan(id), "utf8")) as UploadPlan;
      const part = await stat(this.#part(id));
      return { plan, keptBytes: part.size, touchedAtMs: part.mtimeMs };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async open(id: string, staged: StagedUpload, seen: (chunk: Uint8Array) => void): Promise<StagedWriter> {
    if (staged.keptBytes > 0) {
      for await (const chunk of createReadStream(this.#part(id), { end: staged.keptBytes - 1 })) seen(chunk);
    }
    return new FileWriter({
      ...this.#options,
      plan: staged.plan,
      part: this.#part(id),
      planFile: this.#plan(id),
      keptBytes: staged.keptBytes,
    });
  }

  async drop(id: string): Promise<void> {
    await rm(`${this.#plan(id)}.new`, { force: true });
    await rm(this.#part(id), { force: true });
    await rm(this.#plan(id), { force: true });
  }

  async *ids(): AsyncIterable<string> {
    const names = await readdir(this.#options.directory).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const name of names) if (name.endsWith(".json")) yield name.slice(0, -".json".length);
  }

  /** What the open uploads of all processes are still to bring. */
  async #outstandingBytes(): Promise<number> {
    let bytes = 0;
    for await (const id of this.ids()) {
      const staged = await this.find(id);
      if (staged !== undefined && this.#options.clock.now() - staged.touchedAtMs < idleMs)
        bytes += Math.max(0, staged.plan.sizeBytes - staged.keptBytes);
    }
    return bytes;
  }

  async #touch(id: string): Promise<void> {
    const handle = await open(this.#part(id), "r+");
    try {
      const now = this.#options.clock.now() / 1000;
      await handle.utimes(now, now);
    } finally {
      await handle.close();
    }
  }

  #part(id: string): string {
    return join(this.#options.directory, `${id}.part`);
  }

  #plan(id: string): string {
    return join(this.#options.directory, `${id}.json`);
  }
}

interface FileWriterOptions extends FileStagingOptions {
  readonly plan: UploadPlan;
  readonly part: string;
  readonly planFile: string;
  readonly keptBytes: number;
}

/**
 * Appends to a part file. The file is opened for appending on every call, so bytes of another process are never written over: they make the length
 * differ from what this writer counted, and the writer notices.
 */
class FileWriter implements StagedWriter {
  readonly #options: FileWriterOptions;
  #keptBytes: number;

  constructor(options: FileWriterOptions) {
    this.#options = options;
    this.#keptBytes = options.keptBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await assertRoom(this.#options.directory, chunk.byteLength, 0.5);
    const handle = await open(this.#options.part, constants.O_WRONLY | constants.O_APPEND).catch(asMoved);
    try {
      await this.#assertUnmoved(handle);
      await handle.appendFile(chunk);
      this.#keptBytes += chunk.byteLength;
      await this.#assertUnmoved(handle);
      const now = this.#options.clock.now() / 1000;
      await handle.utimes(now, now);
    } catch (error) {
      throw asNoRoom(error);
    } finally {
      await handle.close();
    }
  }

  async commit(): Promise<void> {
    const target = this.#options.pathOf(this.#options.plan.sha256);
    const handle = await open(this.#options.part, "r").catch(asMoved);
    try {
      await this.#assertUnmoved(handle);
      const now = this.#options.clock.now() / 1000;
      await handle.utimes(now, now);
      await handle.chmod(0o444);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await rename(this.#options.part, target).catch(asMoved);
    await syncDirectory(dirname(target));
    await syncDirectory(dirname(dirname(target)));
    await rm(this.#options.planFile, { force: true });
  }

  async #assertUnmoved(handle: { stat(): Promise<{ size: number; nlink: number }> }): Promise<void> {
    const { size, nlink } = await handle.stat();
    if (size !== this.#keptBytes || nlink === 0) throw new StagingMoved();
  }
}

/** Errors: RESOURCE_EXHAUSTED when so many bytes would go into the given part of the room that is left alone. */
async function assertRoom(directory: string, bytes: number, partOfReserve: number): Promise<void> {
  const disk = await statfs(directory);
  const share = Math.min(Math.max(disk.blocks * disk.bsize * reservedShare, leastReserveBytes), mostReserveBytes);
  if (disk.bavail * disk.bsize < bytes + share * partOfReserve) throw noRoom();
}

function asMoved(error: unknown): never {
  throw isMissing(error) ? new StagingMoved() : error;
}
