import {
  type CreateDatasetVersionRequest,
  type DatasetVersion,
  DatasetVersionSchema,
  type ReadOptions,
  ReadOptionsSchema,
} from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import type { Actor } from "../actor.ts";
import type { ArtifactAccess } from "../artifacts/artifact-access.ts";
import { assertModelName, assertTexts, invalid } from "../names.ts";
import type { Reader } from "../reader.ts";
import type { ProfileJob } from "./apart/messages.ts";
import type { DatasetReader } from "./dataset-reader.ts";
import type { DatasetName, Datasets } from "./datasets.ts";
import { encodeColumns, encodeWarnings } from "./encode-profile.ts";
import { assertReadOptions, completeReadOptions, declaredDates, declaredTypes, writtenAs } from "./read-options.ts";
import { decodeFormat, encodeFormat } from "./terms.ts";

/** Makes dataset versions of uploaded files: reads them whole, once. Nothing is written before the last step, so a refusal or a crash leaves nothing behind. */
export class DatasetMaker {
  readonly #datasets: Datasets;
  readonly #access: ArtifactAccess;
  readonly #reader: DatasetReader;

  constructor(options: { datasets: Datasets; access: ArtifactAccess; reader: DatasetReader }) {
    this.#datasets = options.datasets;
    this.#access = options.access;
    this.#reader = options.reader;
  }

  /** Errors: see DatasetService.CreateDatasetVersion. */
  async make(
    by: { readonly actor: Actor; readonly reader: Reader },
    project: string,
    request: CreateDatasetVersionRequest,
    signal: AbortSignal,
  ): Promise<DatasetVersion> {
    assertRequest(request);
    const name = { project, dataset: request.dataset };
    const sha256 = Buffer.from(request.sha256).toString("hex");
    const sizes = await this.#access.hold(by.reader, [sha256]);
    const repeat = await this.#datasets.findRepeat(name, request);
    if (repeat !== undefined) return repeat;
    const draft = await this.#draft(name, request, signal);
    draft.sizeBytes = BigInt(sizes.get(sha256) ?? 0);
    // Waiting and reading may take longer than artifacts are kept that nothing refers to.
    await this.#access.hold(by.reader, [sha256]);
    return this.#datasets.add(by.actor, name, draft);
  }

  async #draft(name: DatasetName, request: CreateDatasetVersionRequest, signal: AbortSignal): Promise<DatasetVersion> {
    const { sha256, description, source } = request;
    const read = request.read ?? create(ReadOptionsSchema);
    const profile = await this.#reader.profile(Buffer.from(sha256).toString("hex"), jobOf(request, read), signal);
    const format = encodeFormat(profile.format);
    const { delimiter, sheet } = profile.schema;
    assertReadOptions(read, format);
    return create(DatasetVersionSchema, {
      ...name,
      format,
      sha256,
      rows: BigInt(profile.rows),
      columns: encodeColumns(profile.columns),
      warnings: encodeWarnings(profile),
      read: completeReadOptions(
        { ...read, delimiter: delimiter ?? read.delimiter, sheet: sheet ?? read.sheet },
        format,
      ),
      description,
      source,
    });
  }
}

/** What the request leaves empty is told from the bytes, or is the reader's default. */
function jobOf(request: CreateDatasetVersionRequest, read: ReadOptions): Omit<ProfileJob, "kind" | "limits"> {
  const format = decodeFormat(request.format);
  return {
    types: declaredTypes(read),
    choices: { columns: read.columns, without: read.without, rename: new Map(Object.entries(read.rename)) },
    dates: declaredDates(read),
    missing: read.missing,
    onlyMissing: read.onlyMissing,
    keepIndex: read.keepIndex,
    ...(format === undefined ? {} : { format }),
    ...writtenAs(read),
  };
}

function assertRequest(request: CreateDatasetVersionRequest): void {
  assertModelName(request.dataset, "dataset");
  assertTexts({ description: request.description, labels: {} });
  if (`${request.description}${request.source}`.includes("\0")) {
    throw invalid("description", "The description or the source holds a NUL character.", "Write plain text.");
  }
  if (request.source.length > 4096) throw invalid("source", "The source is too long.", "At most 4096 characters fit.");
  if (request.format !== 0 && decodeFormat(request.format) === undefined) {
    throw invalid("format", `There is no format ${request.format}.`, "Leave it out, and it is told from the bytes.");
  }
  if (request.sha256.length !== 32) {
    throw invalid("sha256", "The digest is not a SHA-256 digest.", "Send its 32 bytes.");
  }
  if (request.read !== undefined) assertReadOptions(request.read, request.format);
}
