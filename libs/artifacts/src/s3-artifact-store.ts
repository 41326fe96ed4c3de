import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { abortError, type Clock, systemClock } from "@aimass/core";
import type {
  ArtifactStore,
  ListedArtifact,
  OpenArtifact,
  StoredArtifact,
  Upload,
  UploadPlan,
} from "./artifact-store.ts";
import { assertSha256, isSha256 } from "./digest.ts";
import { artifactNotFound, outOfRange, storageUnavailable } from "./errors.ts";
import { asNoRoom } from "./file-system.ts";
import { ResumableUploads } from "./resumable-uploads.ts";
import { S3Bucket, type S3Location } from "./s3-bucket.ts";
import { S3Staging } from "./s3-staging.ts";

export interface S3ArtifactStoreOptions {
  readonly location: S3Location;
  readonly clock?: Clock;
  /** How long an upload may be left alone, in milliseconds. Default one day. */
  readonly uploadTtlMs?: number;
  /** Bytes sent at a time, kept in memory per upload that is written to. Default 8 MiB; AWS wants 5 MiB at least. */
  readonly segmentBytes?: number;
}

const dayMs = 24 * 3600 * 1000;
const mebibyte = 1024 * 1024;

/** Artifacts as objects `blobs/ab/<digest>` in an S3 bucket. */
export class S3ArtifactStore implements ArtifactStore, AsyncDisposable {
  readonly #bucket: S3Bucket;
  readonly #uploads: ResumableUploads;

  private constructor(bucket: S3Bucket, options: S3ArtifactStoreOptions) {
    const clock = options.clock ?? systemClock;
    this.#bucket = bucket;
    this.#uploads = new ResumableUploads({
      staging: new S3Staging({ bucket, keyOf, clock, segmentBytes: options.segmentBytes ?? 8 * mebibyte }),
      clock,
      ttlMs: options.uploadTtlMs ?? dayMs,
      maxSessions: 16,
    });
  }

  static async open(options: S3ArtifactStoreOptions): Promise<S3ArtifactStore> {
    return new S3ArtifactStore(await S3Bucket.open(options.location), options);
  }

  async has(sha256: string): Promise<StoredArtifact | undefined> {
    assertSha256(sha256);
    return this.#bucket.head(keyOf(sha256));
  }

  async *read(sha256: string, offset = 0, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    const stored = await this.has(sha256);
    if (stored === undefined) throw artifactNotFound(sha256);
    if (offset > stored.sizeBytes || offset < 0) throw outOfRange(offset, stored.sizeBytes);
    // A range that begins at the end is an error to S3 (416).
    if (offset === stored.sizeBytes) return;
    const body = await this.#bucket.get(keyOf(sha256), offset, signal);
    if (body === undefined) throw artifactNotFound(sha256);
    try {
      yield* body as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw signal?.aborted ? abortError(signal) : storageUnavailable(error);
    }
  }

  async open(sha256: string): Promise<OpenArtifact> {
    const stored = await this.has(sha256);
    if (stored === undefined) throw artifactNotFound(sha256);
    return {
      ...stored,
      descriptor: undefined,
      read: (offset, length, signal) =>
        this.#range(sha256, offset, Math.min(length, stored.sizeBytes - offset), signal),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async copyTo(sha256: string, path: string, signal?: AbortSignal): Promise<void> {
    try {
      await pipeline(this.read(sha256, 0, signal), createWriteStream(path, { flags: "wx", mode: 0o600 }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") await rm(path, { force: true });
      throw asNoRoom(error);
    }
  }

  async remove(sha256: string): Promise<void> {
    assertSha256(sha256);
    await this.#bucket.remove(keyOf(sha256));
  }

  async *list(signal?: AbortSignal): AsyncIterable<ListedArtifact> {
    for await (const object of this.#bucket.list("blobs/")) {
      signal?.throwIfAborted();
      const sha256 = object.key.slice(object.key.lastIndexOf("/") + 1);
      if (isSha256(sha256)) yield { sha256, sizeBytes: object.sizeBytes, storedAtMs: object.modifiedAtMs };
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

  async #range(sha256: string, offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (length <= 0) return new Uint8Array(0);
    const bytes = await this.#bucket.getRange(keyOf(sha256), offset, length, signal);
    if (bytes === undefined) throw artifactNotFound(sha256);
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bucket[Symbol.asyncDispose]();
  }
}

function keyOf(sha256: string): string {
  return `blobs/${sha256.slice(0, 2)}/${sha256}`;
}
