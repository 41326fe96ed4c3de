import type { Readable } from "node:stream";
import { AimassError } from "@aimass/core";
import type { S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { noRoom, storageUnavailable } from "./errors.ts";

export interface S3Location {
  readonly bucket: string;
  /** Put before every key; "" or ending in "/". */
  readonly prefix: string;
  /** Of a server other than AWS, for instance "http://127.0.0.1:9000"; paths then carry the bucket. */
  readonly endpoint?: string;
  /** Default "us-east-1". */
  readonly region?: string;
  /** Absent: what the AWS SDK finds (environment, profile, instance role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** An object as a listing gives it. */
export interface S3Object {
  /** Without the prefix. */
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedAtMs: number;
}

type Sdk = typeof import("@aws-sdk/client-s3");

/** The few calls the artifacts make, over keys without the prefix. The SDK is imported when a bucket is opened, so that a file store never loads it. */
export class S3Bucket implements AsyncDisposable {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #location: S3Location;

  private constructor(sdk: Sdk, location: S3Location) {
    this.#sdk = sdk;
    this.#location = location;
    this.#client = new sdk.S3Client({
      region: location.region ?? "us-east-1",
      // The digest of every artifact is checked here; servers other than AWS often refuse the SDK's own checksums.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      ...(location.endpoint === undefined ? {} : { endpoint: location.endpoint, forcePathStyle: true }),
      ...(location.credentials === undefined ? {} : { credentials: location.credentials }),
    });
  }

  static async open(location: S3Location): Promise<S3Bucket> {
    return new S3Bucket(await import("@aws-sdk/client-s3"), location);
  }

  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<{ etag: string }> {
    const put = { ...this.#at(key), Body: body, ContentLength: body.byteLength };
    const done = await this.#send((s) => s.send(new this.#sdk.PutObjectCommand(put), abortedBy(signal)));
    return { etag: done.ETag ?? "" };
  }

  async head(key: string): Promise<{ sizeBytes: number } | undefined> {
    const found = await this.#sendOrMissing((s) => s.send(new this.#sdk.HeadObjectCommand(this.#at(key))));
    return found === undefined ? undefined : { sizeBytes: found.ContentLength ?? 0 };
  }

  async get(key: string, offset = 0, signal?: AbortSignal): Promise<Readable | undefined> {
    const range = offset === 0 ? {} : { Range: `bytes=${offset}-` };
    const found = await this.#sendOrMissing((s) =>
      s.send(new this.#sdk.GetObjectCommand({ ...this.#at(key), ...range }), abortedBy(signal)),
    );
    return found?.Body as Readable | undefined;
  }

  /** Exactly these bytes. Errors: UNAVAILABLE (the storage sent others, or broke off). */
  async getRange(key: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const range = { Range: `bytes=${offset}-${offset + length - 1}` };
    return this.#sendOrMissing(async (s) => {
      const found = await s.send(new this.#sdk.GetObjectCommand({ ...this.#at(key), ...range }), abortedBy(signal));
      const bytes = await found.Body?.transformToByteArray();
      if (bytes?.byteLength === length) return bytes;
      throw new Error(`the storage sent ${bytes?.byteLength ?? 0} bytes of ${length}`);
    });
  }

  async remove(key: string): Promise<void> {
    await this.#sendOrMissing((s) => s.send(new this.#sdk.DeleteObjectCommand(this.#at(key))));
  }

  async *list(under: string, signal?: AbortSignal): AsyncIterable<S3Object> {
    let token: string | undefined;
    do {
      const page = await this.#send((s) =>
        s.send(
          new this.#sdk.ListObjectsV2Command({
            Bucket: this.#location.bucket,
            Prefix: this.#location.prefix + under,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          abortedBy(signal),
        ),
      );
      for (const object of page.Contents ?? []) {
        yield {
          key: (object.Key ?? "").slice(this.#location.prefix.length),
          sizeBytes: object.Size ?? 0,
          etag: object.ETag ?? "",
          modifiedAtMs: object.LastModified?.getTime() ?? 0,
        };
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  /** Makes one object of others, in order, inside the storage (multipart upload by copy). All but the last must be of 5 MiB or more. */
  async concatenate(key: string, sources: readonly { key: string; etag: string }[]): Promise<void> {
    const at = this.#at(key);
    const { UploadId } = await this.#send((s) => s.send(new this.#sdk.CreateMultipartUploadCommand(at)));
    const upload = { ...at, UploadId };
    try {
      const parts: { PartNumber: number; ETag: string | undefined }[] = [];
      for (const [index, source] of sources.entries()) {
        const part = { PartNumber: index + 1 };
        const copied = await this.#send((s) =>
          s.send(
            new this.#sdk.UploadPartCopyCommand({
              ...upload,
              ...part,
              CopySource: `${this.#location.bucket}/${encodeURI(this.#location.prefix + source.key)}`,
              CopySourceIfMatch: source.etag,
            }),
          ),
        );
        parts.push({ ...part, ETag: copied.CopyPartResult?.ETag });
      }
      const done = { ...upload, MultipartUpload: { Parts: parts } };
      await this.#send((s) => s.send(new this.#sdk.CompleteMultipartUploadCommand(done)));
    } catch (error) {
      await this.#client.send(new this.#sdk.AbortMultipartUploadCommand(upload)).catch(() => {});
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#location.bucket, Key: this.#location.prefix + key };
  }

  async #sendOrMissing<T>(call: (client: S3Client) => Promise<T>): Promise<T | undefined> {
    try {
      return await call(this.#client);
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw asArtifactError(error);
    }
  }

  async #send<T>(call: (client: S3Client) => Promise<T>): Promise<T> {
    try {
      return await call(this.#client);
    } catch (error) {
      throw asArtifactError(error);
    }
  }
}

/** Whether the storage said that an object is not the one expected (HTTP 412). */
export function isPreconditionFailed(error: unknown): boolean {
  return error instanceof AimassError && statusOf(error.cause) === 412;
}

function abortedBy(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3ServiceException> | undefined)?.$metadata?.httpStatusCode;
}

/** 507 (Insufficient Storage) is what MinIO, Ceph and others answer when full. Aborts stay aborts. */
function asArtifactError(error: unknown): unknown {
  if (error instanceof AimassError || (error instanceof Error && error.name === "AbortError")) return error;
  return statusOf(error) === 507 ? noRoom(error) : storageUnavailable(error);
}
