import {
  type CreateDatasetVersionRequest,
  DatasetFormat,
  type DatasetVersion,
  DatasetVersionSchema,
} from "@aimass/api/registry";
import type { ArtifactStore } from "@aimass/artifacts";
import { create } from "@bufbuild/protobuf";
import type { Actor } from "../actor.ts";
import type { ArtifactAccess } from "../artifacts/artifact-access.ts";
import { assertModelName, assertTexts, invalid } from "../names.ts";
import type { Reader } from "../reader.ts";
import { type CsvLimits, inferCsvSchema } from "./csv-schema.ts";
import type { Datasets } from "./datasets.ts";

/** Makes dataset versions of uploaded files: reads them once and infers their schema. */
export class DatasetMaker {
  readonly #options: {
    readonly datasets: Datasets;
    readonly access: ArtifactAccess;
    readonly artifacts: ArtifactStore;
    readonly limits: CsvLimits;
  };

  constructor(options: { datasets: Datasets; access: ArtifactAccess; artifacts: ArtifactStore; limits: CsvLimits }) {
    this.#options = options;
  }

  /** Errors: see DatasetService.CreateDatasetVersion. */
  async make(
    actor: Actor,
    reader: Reader,
    project: string,
    request: CreateDatasetVersionRequest,
    signal: AbortSignal,
  ): Promise<DatasetVersion> {
    const { datasets, access, artifacts, limits } = this.#options;
    assertRequest(request);
    const name = { project, dataset: request.dataset };
    const sha256 = Buffer.from(request.sha256).toString("hex");
    const sizes = await access.hold(reader, [sha256]);
    const repeat = await datasets.findRepeat(name, request.sha256);
    if (repeat !== undefined) return repeat;
    const { rows, columns } = await inferCsvSchema(artifacts.read(sha256, 0, signal), limits);
    const draft = create(DatasetVersionSchema, {
      format: request.format,
      sha256: request.sha256,
      sizeBytes: BigInt(sizes.get(sha256) ?? 0),
      rows: BigInt(rows),
      columns: [...columns],
      description: request.description,
      source: request.source,
    });
    return datasets.add(actor, name, draft);
  }
}

function assertRequest(request: CreateDatasetVersionRequest): void {
  assertModelName(request.dataset, "dataset");
  assertTexts({ description: request.description, labels: {} });
  if (request.source.length > 4096) throw invalid("source", "The source is too long.", "At most 4096 characters fit.");
  if (request.format !== DatasetFormat.CSV) throw invalid("format", "The format is not known.", "Send CSV.");
  if (request.sha256.length !== 32)
    throw invalid("sha256", "The digest is not a SHA-256 digest.", "Send its 32 bytes.");
}
