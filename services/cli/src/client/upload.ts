import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { ErrorDetailSchema } from "@aimass/api/common";
import { ArtifactService } from "@aimass/api/registry";
import { AimassError, Backoff, systemClock } from "@aimass/core";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Connection } from "./connection.ts";

/** An artifact as the registry knows it. */
export interface UploadedFile {
  readonly sha256: Uint8Array;
  readonly sizeBytes: bigint;
}

/** Bytes a message. */
const chunkBytes = 256 * 1024;
const passing = [Code.Unavailable, Code.Aborted, Code.Internal, Code.Unknown];
/** A second upload of the same bytes finished this one: starting again finds the artifact. */
const endedElsewhere = "UPLOAD_NOT_FOUND";
/** How often a broken upload goes on from where it stood. */
const maxAttempts = 6;

/** Bytes that can be read again and again, from anywhere. */
export interface UploadSource {
  readonly sizeBytes: number;
  /** The same bytes each time. */
  read(start: number): AsyncIterable<Uint8Array>;
}

/** Uploads a file in constant memory; a broken connection goes on from where it stood. `onBytes` is told the bytes sent so far. */
export async function uploadFile(
  connection: Connection,
  project: string,
  path: string,
  onBytes: (sent: number, total: number) => void = () => {},
): Promise<UploadedFile> {
  return upload(connection, project, await fileSource(path), onBytes);
}

/** As `uploadFile`, of bytes from anywhere. */
export async function upload(
  connection: Connection,
  project: string,
  source: UploadSource,
  onBytes: (sent: number, total: number) => void = () => {},
): Promise<UploadedFile> {
  const size = source.sizeBytes;
  const sha256 = await digestOf(source);
  const client = connection.client(ArtifactService);
  const backoff = new Backoff();
  for (let attempt = 1; ; attempt += 1) {
    try {
      const begun = await client.startUpload({ sha256, sizeBytes: BigInt(size), project });
      if (begun.complete) {
        onBytes(size, size);
        return { sha256, sizeBytes: BigInt(size) };
      }
      await client.writeUpload(
        chunks(source, begun.uploadId, Number(begun.receivedBytes), (sent) => onBytes(sent, size)),
        { timeoutMs: 0 },
      );
    } catch (error) {
      if (!isPassing(ConnectError.from(error)) || attempt === maxAttempts) throw error;
      await systemClock.sleep(backoff.next());
    }
  }
}

function isPassing(error: ConnectError): boolean {
  return passing.includes(error.code) || error.findDetails(ErrorDetailSchema)[0]?.reason === endedElsewhere;
}

async function* chunks(source: UploadSource, uploadId: string, start: number, onBytes: (sent: number) => void) {
  let offset = start;
  if (start === source.sizeBytes) yield { uploadId, offset: BigInt(offset), chunk: new Uint8Array() };
  for await (const bytes of source.read(start)) {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes) as Uint8Array<ArrayBuffer>;
      yield { uploadId, offset: BigInt(offset), chunk };
      offset += chunk.length;
      onBytes(offset);
    }
  }
}

async function digestOf(source: UploadSource): Promise<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256");
  for await (const chunk of source.read(0)) hash.update(chunk);
  return new Uint8Array(hash.digest());
}

/** Errors: NOT_FOUND; INVALID_ARGUMENT when it is no file. */
export async function fileSource(path: string): Promise<UploadSource> {
  return {
    sizeBytes: await fileSize(path),
    read: (start) => createReadStream(path, { start, highWaterMark: chunkBytes }),
  };
}

async function fileSize(path: string): Promise<number> {
  try {
    const info = await stat(path);
    if (info.isFile()) return info.size;
  } catch (error) {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      remedy: "Check the path.",
    });
  }
  throw new AimassError("INVALID_ARGUMENT", `${path} is not a file.`, { remedy: "Name a file." });
}
