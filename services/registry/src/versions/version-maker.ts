import {
  BatchingChoice,
  type BundleFile,
  BundleFileSchema,
  type CreateVersionRequest,
  type ServingOptions,
  ServingOptionsSchema,
  type Version,
  VersionSchema,
} from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import type { Actor } from "../actor.ts";
import type { ArtifactAccess } from "../artifacts/artifact-access.ts";
import { assertTexts, invalid, type ModelName } from "../names.ts";
import type { Reader } from "../reader.ts";
import { applyBatchingChoice } from "./batching-choice.ts";
import { type BundleEntry, bundleDigest, type ListedFile, readBundle, readFiles } from "./bundle.ts";
import { withColumns } from "./columns.ts";
import type { Inspection, Inspector } from "./inspection.ts";
import { assertServing, type Manifest } from "./manifest.ts";
import type { Versions } from "./versions.ts";

const maxKeyLength = 200;

/** Makes versions of uploaded files: checks, inspects, registers. Until the last step nothing is registered, so a refusal or a crash leaves nothing behind. */
export class VersionMaker {
  readonly #artifacts: ArtifactAccess;
  readonly #inspector: Inspector;
  readonly #versions: Versions;
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: { artifacts: ArtifactAccess; inspector: Inspector; versions: Versions }) {
    this.#artifacts = options.artifacts;
    this.#inspector = options.inspector;
    this.#versions = options.versions;
  }

  /** Resolves when all versions in the making are done, refused or registered. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  /** Goes on even when nobody waits for the result any more. Errors: see ModelService.CreateVersion. */
  make(by: VersionAuthor, name: ModelName, request: CreateVersionRequest): Promise<Version> {
    const making = this.#make(by, name, request).finally(() => this.#running.delete(making));
    this.#running.add(making);
    return making;
  }

  async #make(
    { actor, reader, fromTrainer }: VersionAuthor,
    name: ModelName,
    request: CreateVersionRequest,
  ): Promise<Version> {
    assertRequest(request);
    if (!fromTrainer) assertNoJob(request);
    const bundle = readBundle(request.files);
    const draft = { ...name, bundleDigest: bundleDigest(bundle), idempotencyKey: request.idempotencyKey };
    const repeat = await this.#versions.findRepeat(draft);
    if (repeat !== undefined) return repeat;
    const code = readFiles(request.lineage?.code ?? [], "lineage.code");
    const digests = [...bundle, ...code].map((entry) => entry.sha256);
    const sizes = await this.#artifacts.hold(reader, digests);
    assertSizes(request.files, sizes, "files");
    assertSizes(request.lineage?.code ?? [], sizes, "lineage.code");
    const inspection = await this.#inspector.inspect(bundle);
    const version = assemble(request, inspection, { bundle, code, sizes });
    assertTexts(version);
    version.claimed = !fromTrainer;
    // Waiting and trying may take longer than artifacts are kept that nothing refers to.
    await this.#artifacts.hold(reader, digests);
    return this.#versions.register(actor, { ...draft, version, createModel: request.createModel });
  }
}

/** Who makes a version. */
export interface VersionAuthor {
  readonly actor: Actor;
  readonly reader: Reader;
  /** A trainer brings it, for whoever ordered the job: lineage and metrics are what it measured. */
  readonly fromTrainer: boolean;
}

/** Errors: INVALID_ARGUMENT. */
function assertNoJob(request: CreateVersionRequest): void {
  if ((request.lineage?.jobId ?? "") === "") return;
  throw invalid("lineage.job_id", "The trainer alone says which job made a version.", "Leave it out.");
}

interface HeldFiles {
  readonly bundle: readonly BundleEntry[];
  readonly code: readonly BundleEntry[];
  /** By digest. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** What the request leaves empty is taken from model.yaml. */
function assemble(
  request: CreateVersionRequest,
  { signature, manifest }: Inspection,
  { bundle, code, sizes }: HeldFiles,
): Version {
  const columns = Object.keys(request.columns).length > 0 ? request.columns : manifest.columns;
  const serving = servingOf(request, manifest);
  applyBatchingChoice(signature, serving);
  return create(VersionSchema, {
    signature: withColumns(signature, columns),
    files: encodeFiles(bundle, sizes),
    description: request.description || (manifest.description ?? ""),
    labels: Object.keys(request.labels).length > 0 ? request.labels : { ...manifest.labels },
    metrics: request.metrics,
    ...(serving === undefined ? {} : { serving }),
    ...(request.lineage === undefined ? {} : { lineage: { ...request.lineage, code: encodeFiles(code, sizes) } }),
  });
}

/** What the request says of serving, and of batching, unless it leaves that to model.yaml. */
function servingOf({ serving }: CreateVersionRequest, manifest: Manifest): ServingOptions | undefined {
  const own = manifest.serving;
  if (serving === undefined || serving.batching !== BatchingChoice.UNSPECIFIED || own === undefined)
    return serving ?? own;
  const { batching, batchingStatement } = own;
  return create(ServingOptionsSchema, { ...serving, batching, batchingStatement });
}

function encodeFiles(entries: readonly BundleEntry[], sizes: ReadonlyMap<string, number>): BundleFile[] {
  return entries.map(({ path, sha256 }) =>
    create(BundleFileSchema, {
      path,
      sha256: Buffer.from(sha256, "hex"),
      sizeBytes: BigInt(sizes.get(sha256) ?? 0),
    }),
  );
}

function assertRequest(request: CreateVersionRequest): void {
  assertTexts(request);
  if (request.serving !== undefined) assertServing(request.serving);
  if (request.idempotencyKey.length > maxKeyLength) {
    throw invalid("idempotency_key", "The idempotency key is too long.", `At most ${maxKeyLength} characters fit.`);
  }
}

/** A size the caller states must be true; 0 states none. */
function assertSizes(files: readonly ListedFile[], sizes: ReadonlyMap<string, number>, field: string): void {
  for (const [index, file] of files.entries()) {
    const size = sizes.get(Buffer.from(file.sha256).toString("hex"));
    if (file.sizeBytes === 0n || BigInt(size ?? 0) === file.sizeBytes) continue;
    throw invalid(
      `${field}[${index}].size_bytes`,
      `"${file.path}" has ${size} bytes, not ${file.sizeBytes}.`,
      "Leave the size at 0 or send the true one.",
    );
  }
}
