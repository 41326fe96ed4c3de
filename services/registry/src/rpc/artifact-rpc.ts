import {
  type ArtifactService,
  type ReadArtifactRequest,
  type ReadArtifactResponse,
  ReadArtifactResponseSchema,
  type WriteUploadRequest,
} from "@aimass/api/registry";
import { type ArtifactStore, artifactNotFound, type Upload, uploadNotFound } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import { nodeRole, openReadGrant, type ServiceIdentity } from "@aimass/identity";
import { callerOf } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ArtifactAccess } from "../artifacts/artifact-access.ts";
import type { StorageTie } from "../artifacts/storage-tie.ts";
import { UploadCompletion } from "../artifacts/upload-completion.ts";
import { ownerOf, projectOfOwner } from "../artifacts/upload-owner.ts";
import type { Gate } from "../gate.ts";
import type { RegistryMetrics } from "../metrics.ts";
import { invalid } from "../names.ts";
import type { ReadAudit } from "../reads/read-audit.ts";

interface ArtifactRpcOptions {
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly artifacts: ArtifactStore;
  readonly access: ArtifactAccess;
  readonly tie: StorageTie;
  readonly reads: ReadAudit;
  readonly metrics: RegistryMetrics;
  readonly maxArtifactBytes: number;
}

const chunkBytes = 1024 * 1024;

export function artifactRpc(options: ArtifactRpcOptions): ServiceImpl<typeof ArtifactService> {
  const { gate, artifacts, access } = options;
  const completion = new UploadCompletion(options);
  return {
    async startUpload(request, context) {
      const { project, actor } = await gate.uploader(context, request.project);
      const sha256 = readDigest(request.sha256);
      const sizeBytes = readSize(request.sizeBytes, options.maxArtifactBytes);
      const here = await access.find(gate.reader(context), sha256);
      if (here?.sizeBytes === sizeBytes && (await access.note(actor.id, sha256))) {
        return { receivedBytes: request.sizeBytes, complete: true };
      }
      options.tie.assertUploadable();
      const upload = await artifacts.begin({ sha256, sizeBytes, owner: ownerOf(actor.id, project) });
      // All bytes came, and the registry ended before it could say so; or there are none.
      if (upload.receivedBytes === sizeBytes) return completion.complete(gate.reader(context), upload);
      return {
        uploadId: upload.id,
        receivedBytes: BigInt(upload.receivedBytes),
        expiresAt: timestampFromMs(upload.expiresAtMs),
      };
    },
    async writeUpload(requests, context) {
      let upload: Upload | undefined;
      let receivedBytes = 0;
      for await (const request of requests) {
        upload ??= await openUpload(options, context, request.uploadId);
        assertChunk(request, upload);
        try {
          receivedBytes = await artifacts.append(upload.id, Number(request.offset), request.chunk);
        } catch (error) {
          return await completion.completedElsewhere(gate.reader(context), upload, error);
        }
        options.metrics.uploadedBytes.add(request.chunk.byteLength);
        if (receivedBytes === upload.sizeBytes) return await completion.complete(gate.reader(context), upload);
      }
      if (upload === undefined) throw uploadNotFound();
      return { receivedBytes: BigInt(receivedBytes), complete: false };
    },
    async *readArtifact(request, context) {
      const sha256 = readDigest(request.sha256);
      const { offset } = request;
      if (offset < 0n) throw invalid("offset", `Byte ${offset} cannot be read.`, "Offsets begin at 0.");
      const { sizeBytes } = await findFor(options, context, request);
      yield* responses(artifacts.read(sha256, Number(offset), context.signal), sizeBytes);
    },
  };
}

/** The artifact that a node was granted by a scheduler, or that anybody else has a right to. Errors: NOT_FOUND; PERMISSION_DENIED of a node. */
async function findFor(
  options: ArtifactRpcOptions,
  context: HandlerContext,
  { sha256: digest, grant }: ReadArtifactRequest,
): Promise<{ sizeBytes: number }> {
  const { gate, access, artifacts, identity, clock, reads } = options;
  const sha256 = readDigest(digest);
  const { service } = callerOf(context);
  if (service.role === nodeRole) {
    openReadGrant(identity, grant, { sender: service, sha256: digest, nowMs: clock.now() });
    return (await artifacts.has(sha256)) ?? notFound(sha256);
  }
  const reader = gate.reader(context);
  const { here, readableBy } = await access.look(reader, sha256);
  if (here === undefined) throw artifactNotFound(sha256);
  const allowed = readableBy !== undefined;
  reads.note(reader, { resource: readableBy ?? `sha256:${sha256}`, sha256, preview: false, allowed });
  if (!allowed) throw artifactNotFound(sha256);
  return here;
}

function notFound(sha256: string): never {
  throw artifactNotFound(sha256);
}

/** The upload, when it is the caller's own and they may still upload to its project. */
async function openUpload(options: ArtifactRpcOptions, context: HandlerContext, id: string): Promise<Upload> {
  const upload = await options.artifacts.findUpload(id);
  const { principal } = options.gate.reader(context);
  const project = upload === undefined ? "" : projectOfOwner(upload.owner);
  if (upload === undefined || upload.owner !== ownerOf(principal, project)) throw uploadNotFound();
  await options.gate.uploader(context, project);
  return upload;
}

async function* responses(chunks: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncIterable<ReadArtifactResponse> {
  let size = BigInt(sizeBytes);
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.byteLength; from += chunkBytes) {
      yield create(ReadArtifactResponseSchema, { chunk: chunk.subarray(from, from + chunkBytes), sizeBytes: size });
      size = 0n;
    }
  }
  if (size > 0n || sizeBytes === 0) yield create(ReadArtifactResponseSchema, { sizeBytes: BigInt(sizeBytes) });
}

function assertChunk(request: WriteUploadRequest, upload: Upload): void {
  if (request.uploadId !== "" && request.uploadId !== upload.id) {
    throw invalid("upload_id", "The upload changed in the middle of the stream.", "Use a stream for each upload.");
  }
  if (request.chunk.byteLength <= chunkBytes) return;
  throw invalid(
    "chunk",
    `The chunk has ${request.chunk.byteLength} bytes.`,
    `At most ${chunkBytes} fit into a message.`,
  );
}

function readDigest(bytes: Uint8Array): string {
  if (bytes.byteLength === 32) return Buffer.from(bytes).toString("hex");
  throw invalid("sha256", `The digest has ${bytes.byteLength} bytes.`, "A SHA-256 digest has 32.");
}

function readSize(size: bigint, maximum: number): number {
  if (size >= 0n && size <= BigInt(maximum)) return Number(size);
  throw invalid(
    "size_bytes",
    `An artifact of ${size} bytes is not taken.`,
    `Artifacts may have 0 to ${maximum} bytes.`,
  );
}
