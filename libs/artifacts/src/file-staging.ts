import { constants, createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "@aimass/core";
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

/** Room left alone when an upload is announced, in bytes: logs and the database live on the same disks. */
const reserveBytes = 32 * 1024 * 1024;

/** Unfinished uploads as files. */
export class FileStaging implements Staging {
  readonly #options: FileStagingOptions;

  constructor(options: FileStagingOptions) {
    this.#options = options;
  }

  async create(id: string, plan: UploadPlan): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    await this.#assertRoom(plan.sizeBytes);
    await this.drop(id);
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

  async #assertRoom(sizeBytes: number): Promise<void> {
    const disk = await statfs(this.#options.directory);
    if (disk.bavail * disk.bsize < sizeBytes + reserveBytes) throw noRoom();
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

function asMoved(error: unknown): never {
  throw isMissing(error) ? new StagingMoved() : error;
}
