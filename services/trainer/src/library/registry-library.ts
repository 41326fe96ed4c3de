import { createHash } from "node:crypto";
import {
  AliasService,
  ArtifactService,
  BatchingChoice,
  type ColumnMeaningSchema,
  DatasetService,
  type DatasetVersion,
  type LineageSchema,
  type Model,
  ModelService,
  type Version,
} from "@aimass/api/registry";
import { type Address, AimassError, Backoff, type Clock } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import type { Telemetry } from "@aimass/telemetry";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";

export interface LibraryOptions {
  readonly addresses: readonly Address[];
  readonly identity: ServiceIdentity;
  /** In whose name: rights and authorship are theirs. */
  readonly onBehalfOf: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** A version to be. */
export interface NewVersion {
  readonly project: string;
  readonly model: string;
  /** "model.onnx" and what it refers to, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of a classification: the output of scores and the classes in its order; they go into the version's model.yaml. */
  readonly scores: { readonly output: string; readonly classes: readonly string[] } | undefined;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** What the cells of columns mean, by input name. */
  readonly columns: Readonly<Record<string, MessageInitShape<typeof ColumnMeaningSchema>>>;
  readonly lineage: MessageInitShape<typeof LineageSchema>;
  /** Why no row of the model depends on the others; undefined where that is for the registry to find out alone. */
  readonly rowsApart: string | undefined;
  readonly idempotencyKey: string;
}

const chunkBytes = 512 * 1024;
/** The registry loads the model in a disposable process before it answers. */
const createVersionMs = 180_000;
const tries = 5;

/** What a training needs of the registry. */
export class RegistryLibrary {
  readonly #datasets: Client<typeof DatasetService>;
  readonly #artifacts: Client<typeof ArtifactService>;
  readonly #models: Client<typeof ModelService>;
  readonly #aliases: Client<typeof AliasService>;
  readonly #clock: Clock;

  constructor(options: LibraryOptions) {
    this.#datasets = createServiceClient(DatasetService, options);
    this.#artifacts = createServiceClient(ArtifactService, options);
    this.#models = createServiceClient(ModelService, options);
    this.#aliases = createServiceClient(AliasService, options);
    this.#clock = options.clock;
  }

  /** A dataset version; 0 is the newest. Errors: NOT_FOUND. */
  async dataset(project: string, dataset: string, version: bigint): Promise<DatasetVersion> {
    const { datasetVersion } = await this.#datasets.getDatasetVersion({ project, dataset, version });
    if (datasetVersion !== undefined) return datasetVersion;
    throw new AimassError("INTERNAL", "The registry answered without a dataset version.");
  }

  /** The bytes of an artifact; goes on where it was after a broken stream. Errors: DATA_LOSS when they are not those of the digest. */
  async *read(sha256: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const hash = createHash("sha256");
    const backoff = new Backoff({ initialMs: 200, maxMs: 3000 });
    let offset = 0n;
    for (let failures = 0; ; ) {
      try {
        for await (const { chunk } of this.#artifacts.readArtifact({ sha256, offset }, { signal })) {
          hash.update(chunk);
          offset += BigInt(chunk.length);
          failures = 0;
          yield chunk;
        }
        break;
      } catch (error) {
        if (!isPassing(error) || ++failures >= tries) throw error;
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
    if (!hash.digest().equals(sha256)) {
      throw new AimassError("DATA_LOSS", "The artifact's bytes do not fit its digest.", { reason: "DIGEST_MISMATCH" });
    }
  }

  /** Uploads a model and makes a version of it; the model is made when missing. A repeat with the same key gives the same version. */
  async createVersion(version: NewVersion, signal: AbortSignal): Promise<Version> {
    await this.#ensureModel(version, signal);
    const { project, model, description, labels, metrics, columns, lineage, idempotencyKey } = version;
    const files: { path: string; sha256: Uint8Array; sizeBytes: bigint }[] = [];
    for (const [path, bytes] of bundleOf(version)) {
      const sha256 = createHash("sha256").update(bytes).digest();
      await this.#persist(() => this.#upload(project, { bytes, sha256 }, signal), signal);
      files.push({ path, sha256, sizeBytes: BigInt(bytes.length) });
    }
    const { rowsApart } = version;
    const serving =
      rowsApart === undefined ? {} : { serving: { batching: BatchingChoice.STATED, batchingStatement: rowsApart } };
    const texts = { project, model, description, idempotencyKey };
    const request = { ...texts, files, labels, metrics, columns, lineage, ...serving };
    const call = () => this.#models.createVersion(request, { signal, timeoutMs: createVersionMs });
    const answer = await this.#persist(call, signal);
    if (answer.version !== undefined) return answer.version;
    throw new AimassError("INTERNAL", "The registry answered without a version.");
  }

  /** A version by number or alias; undefined when there is none. */
  async version(project: string, model: string, version: string, signal?: AbortSignal): Promise<Version | undefined> {
    try {
      const call = () => this.#models.getVersion({ project, model, version }, signal && { signal });
      return (await this.#persist(call, signal)).version;
    } catch (error) {
      if (error instanceof AimassError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** The version an alias points to; 0 when there is no such alias. */
  async aliasVersion(project: string, model: string, alias: string, signal: AbortSignal): Promise<bigint> {
    const call = () => this.#models.getModel({ project, name: model }, { signal });
    const { model: found } = await this.#persist(call, signal);
    return found?.aliases.find(({ name }) => name === alias)?.version ?? 0n;
  }

  /** A model with its aliases; undefined when there is none. */
  async model(project: string, name: string): Promise<Model | undefined> {
    try {
      return (await this.#models.getModel({ project, name })).model;
    } catch (error) {
      if (error instanceof AimassError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** Errors: ABORTED (ALIAS_MOVED) when the alias is not at `expected`; PERMISSION_DENIED; FAILED_PRECONDITION for a version that is not READY. */
  async moveAlias(
    move: { project: string; model: string; alias: string; version: bigint; expectedVersion: bigint; reason: string },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#persist(() => this.#aliases.moveAlias(move, { signal }), signal, "ALIAS_MOVED");
  }

  /** Looks before it makes, because whoever may add versions need not be allowed to add models. */
  async #ensureModel({ project, model }: NewVersion, signal: AbortSignal): Promise<void> {
    try {
      await this.#persist(() => this.#models.getModel({ project, name: model }, { signal }), signal);
    } catch (error) {
      if (!(error instanceof AimassError && error.code === "NOT_FOUND")) throw error;
      const request = { project, name: model, description: "Trained models.", allowExisting: true };
      await this.#persist(() => this.#models.createModel(request, { signal }), signal);
    }
  }

  async #upload(
    project: string,
    { bytes, sha256 }: { bytes: Uint8Array; sha256: Uint8Array },
    signal: AbortSignal,
  ): Promise<void> {
    const start = await this.#artifacts.startUpload({ sha256, sizeBytes: BigInt(bytes.length), project }, { signal });
    if (start.complete) return;
    try {
      await this.#artifacts.writeUpload(uploadChunks(start.uploadId, bytes, Number(start.receivedBytes)), { signal });
    } catch (error) {
      // A second upload of the same bytes may have finished this one; starting again then finds the artifact.
      const isGone = error instanceof AimassError && error.code === "NOT_FOUND";
      throw isGone ? new AimassError("ABORTED", error.message, { cause: error }) : error;
    }
  }

  /** Every step here bears repetition; a registry that restarts is waited for. */
  async #persist<T>(call: () => Promise<T>, signal?: AbortSignal, finalReason?: string): Promise<T> {
    const backoff = new Backoff({ initialMs: 200, maxMs: 3000 });
    for (let failures = 0; ; ) {
      try {
        return await call();
      } catch (error) {
        const isFinal = finalReason !== undefined && error instanceof AimassError && error.reason === finalReason;
        if (isFinal || !isPassing(error) || ++failures >= tries) throw error;
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
  }
}

/** The version's files. JSON is YAML too. */
function bundleOf({ files, scores }: NewVersion): [path: string, bytes: Uint8Array][] {
  if (scores === undefined) return [...files];
  const manifest = JSON.stringify({ outputs: [{ name: scores.output, labels: scores.classes }] });
  return [...files, ["model.yaml", Buffer.from(manifest)]];
}

async function* uploadChunks(uploadId: string, bytes: Uint8Array, from: number) {
  // Of an empty rest one empty message must go out, so that the upload is told to finish.
  for (let at = from; at === from || at < bytes.length; at += chunkBytes) {
    yield { uploadId, offset: BigInt(at), chunk: bytes.subarray(at, at + chunkBytes) };
  }
}

/** Whether a later try may do better. */
export function isPassing(error: unknown): boolean {
  return error instanceof AimassError && ["UNAVAILABLE", "ABORTED", "DEADLINE_EXCEEDED"].includes(error.code);
}
