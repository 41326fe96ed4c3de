import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, opendir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "@aimass/core";
import type {
  ArtifactStore,
  ListedArtifact,
  OpenArtifact,
  StoredArtifact,
  Upload,
  UploadPlan,
} from "./artifact-store.ts";
import { assertSha256, isSha256 } from "./digest.ts";
import { artifactNotFound, outOfRange } from "./errors.ts";
import { FileStaging } from "./file-staging.ts";
import { asNoRoom, isMissing } from "./file-system.ts";
import { openFile } from "./open-file.ts";
import { ResumableUploads } from "./resumable-uploads.ts";

export interface FileArtifactStoreOptions {
  /** Made when missing. Holds `blobs/ab/cd/<digest>` and `uploads/`. */
  readonly directory: string;
  readonly clock?: Clock;
  /** How long an upload may be left alone, in milliseconds. Default one day. */
  readonly uploadTtlMs?: number;
}

const dayMs = 24 * 3600 * 1000;
const readChunkBytes = 256 * 1024;

/** Artifacts as read-only files, two directory levels deep so that no directory grows past what file systems like. */
export class FileArtifactStore implements ArtifactStore {
  readonly #blobs: string;
  readonly #uploads: ResumableUploads;

  constructor(options: FileArtifactStoreOptions) {
    const clock = options.clock ?? systemClock;
    this.#blobs = join(options.directory, "blobs");
    this.#uploads = new ResumableUploads({
      staging: new FileStaging({
        directory: join(options.directory, "uploads"),
        pathOf: (sha256) => this.#path(sha256),
        clock,
      }),
      clock,
      ttlMs: options.uploadTtlMs ?? dayMs,
    });
  }

  async has(sha256: string): Promise<StoredArtifact | undefined> {
    assertSha256(sha256);
    try {
      return { sizeBytes: (await stat(this.#path(sha256))).size };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async *read(sha256: string, offset = 0, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    const stored = await this.has(sha256);
    if (stored === undefined) throw artifactNotFound(sha256);
    if (offset > stored.sizeBytes || offset < 0) throw outOfRange(offset, stored.sizeBytes);
    yield* createReadStream(this.#path(sha256), {
      start: offset,
      highWaterMark: readChunkBytes,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async open(sha256: string): Promise<OpenArtifact> {
    assertSha256(sha256);
    try {
      return await openFile(this.#path(sha256));
    } catch (error) {
      throw isMissing(error) ? artifactNotFound(sha256) : error;
    }
  }

  /** A reflink where the file system can, else a copy: a hard link would let whoever opens the copy reach the artifact itself. */
  async copyTo(sha256: string, path: string, signal?: AbortSignal): Promise<void> {
    assertSha256(sha256);
    signal?.throwIfAborted();
    try {
      await copyFile(this.#path(sha256), path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      await chmod(path, 0o600);
    } catch (error) {
      if (isMissing(error) && (await this.has(sha256)) === undefined) throw artifactNotFound(sha256);
      throw asNoRoom(error);
    }
  }

  async remove(sha256: string): Promise<void> {
    assertSha256(sha256);
    await rm(this.#path(sha256), { force: true });
  }

  async *list(signal?: AbortSignal): AsyncIterable<ListedArtifact> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    for await (const entry of await opendir(this.#blobs, { recursive: true })) {
      signal?.throwIfAborted();
      if (!entry.isFile() || !isSha256(entry.name)) continue;
      const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
      if (found !== undefined) yield { sha256: entry.name, sizeBytes: found.size, storedAtMs: found.mtimeMs };
    }
  }

  async begin(plan: UploadPlan): Promise<Upload> {
    assertSha256(plan.sha256);
    return this.#uploads.begin(plan);
  }

  findUpload(id: string): Promise<Upload | undefined> {
    return this.#uploads.find(id);
  }

  append(id: string, offset: number, chunk: Uint8Array): Promise<number> {
    return this.#uploads.append(id, offset, chunk);
  }

  finish(id: string): Promise<void> {
    return this.#uploads.finish(id);
  }

  drop(id: string): Promise<void> {
    return this.#uploads.drop(id);
  }

  dropExpired(): Promise<number> {
    return this.#uploads.dropExpired();
  }

  #path(sha256: string): string {
    return join(this.#blobs, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  }
}
