import { buffer } from "node:stream/consumers";
import { abortError } from "@aimass/core";
import { storageUnavailable } from "./errors.ts";
import { assertRecordName, type RecordStore } from "./record-store.ts";
import { S3Bucket, type S3Location } from "./s3-bucket.ts";

/** Records as objects `<folder>/<name>` in an S3 bucket. */
export class S3RecordStore implements RecordStore {
  readonly #bucket: S3Bucket;
  readonly #folder: string;

  private constructor(bucket: S3Bucket, folder: string) {
    this.#bucket = bucket;
    this.#folder = folder === "" ? "" : `${folder}/`;
  }

  static async open(location: S3Location, folder: string): Promise<S3RecordStore> {
    return new S3RecordStore(await S3Bucket.open(location), folder);
  }

  async put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    assertRecordName(name);
    await this.#bucket.put(this.#folder + name, bytes, signal);
  }

  async get(name: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    assertRecordName(name);
    const body = await this.#bucket.get(this.#folder + name, 0, signal);
    if (body === undefined) return undefined;
    try {
      return await buffer(body);
    } catch (error) {
      throw signal?.aborted ? abortError(signal) : storageUnavailable(error);
    }
  }

  async remove(name: string): Promise<void> {
    assertRecordName(name);
    await this.#bucket.remove(this.#folder + name);
  }

  async *names(signal?: AbortSignal): AsyncIterable<string> {
    for await (const { key } of this.#bucket.list(this.#folder, signal)) yield key.slice(this.#folder.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bucket[Symbol.asyncDispose]();
  }
}
