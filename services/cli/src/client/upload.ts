import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
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
/** NOT_FOUND too: a second upload of the same bytes may have finished this one; starting again then finds the artifact. */
const passing = [Code.Unavailable, Code.Aborted, Code.Internal, Code.Unknown, Code.NotFound];
/** How often a broken upload goes on from where it stood. */
const maxAttempts = 6;

/** Uploads a file in constant memory; a broken connection goes on from where it stood. `onBytes` is told the bytes sent so far. */
export async function uploadFile(
  connection: Connection,
  project: string,
  path: string,
  onBytes: (sent: number, total: number) => void = () => {},
): Promise<UploadedFile> {
  const size = await fileSize(path);
  const sha256 = await digestOf(path);
  const client = connection.client(ArtifactService);
  const backoff = new Backoff();
  for (let attempt = 1; ; attempt += 1) {
    const upload = await client.startUpload({ sha256, sizeBytes: BigInt(size), project });
    if (upload.complete) {
      onBytes(size, size);
      return { sha256, sizeBytes: BigInt(size) };
    }
    try {
      await client.writeUpload(
        chunks(path, upload.uploadId, Number(upload.receivedBytes), (sent) => onBytes(sent, size)),
        { timeoutMs: 0 },
      );
    } catch (error) {
      const code = ConnectError.from(error).code;
      if (!passing.includes(code) || attempt === maxAttempts) throw error;
      await systemClock.sleep(backoff.next());
    }
  }
}

async function* chunks(path: string, uploadId: string, start: number, onBytes: (sent: number) => void) {
  let offset = start;
  if (start === (await fileSize(path))) yield { uploadId, offset: BigInt(offset), chunk: new Uint8Array() };
  for await (const chunk of createReadStream(path, { start, highWaterMark: chunkBytes })) {
    yield { uploadId, offset: BigInt(offset), chunk: chunk as Uint8Array<ArrayBuffer> };
    offset += (chunk as Buffer).length;
    onBytes(offset);
  }
}

async function digestOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return new Uint8Array(hash.digest());
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
