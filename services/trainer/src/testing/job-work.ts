import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ColumnType, DatasetFormat, DatasetVersionSchema } from "@aimass/api/registry";
import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import {
  defaultLimits,
  type DatasetFormat as Format,
  memoryFile,
  missingWords,
  profileDataset,
} from "@aimass/datasets";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { checkSpec, fitSpec } from "../jobs/job-spec.ts";
import type { RegistryLibrary } from "../library/registry-library.ts";
import type { Reporter } from "../recipes/recipe.ts";
import type { JobWork } from "../worker/job-work.ts";

/** A job over bytes in memory, for tests of what a worker does. */
export interface TestJob {
  /** "csv" unless given. */
  readonly format?: Format;
  readonly bytes: Uint8Array | string;
  /** How its text is written, where that is not as usual. */
  readonly written?: { readonly delimiter: string; readonly decimal: string; readonly thousands: string };
  readonly spec: Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;
  readonly report?: Partial<Reporter>;
  readonly checkpoint?: Uint8Array;
  readonly memoryBytes?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

const formats: Record<Format, DatasetFormat> = {
  csv: DatasetFormat.CSV,
  tsv: DatasetFormat.TSV,
  "json-lines": DatasetFormat.JSON_LINES,
  json: DatasetFormat.JSON,
  xlsx: DatasetFormat.XLSX,
  parquet: DatasetFormat.PARQUET,
  arrow: DatasetFormat.ARROW,
  "image-zip": DatasetFormat.IMAGE_ZIP,
};

const types = {
  number: ColumnType.NUMBER,
  string: ColumnType.STRING,
  boolean: ColumnType.BOOLEAN,
  image: ColumnType.IMAGE,
} as const;

/** Describes the dataset as the registry does, resolves the spec as CreateJob does, and runs `use` with a folder that goes afterwards. */
export async function withJob<T>(job: TestJob, use: (work: JobWork) => Promise<T>): Promise<T> {
  const { format = "csv", spec, written } = job;
  const bytes = typeof job.bytes === "string" ? Buffer.from(job.bytes) : job.bytes;
  const { schema, columns, rows, warnings } = await profileDataset({ format, file: memoryFile(bytes), ...written });
  const dataset = create(DatasetVersionSchema, {
    project: "default",
    dataset: "data",
    version: 1n,
    format: formats[format],
    sha256: createHash("sha256").update(bytes).digest(),
    sizeBytes: BigInt(bytes.length),
    rows: BigInt(rows),
    columns: columns.map(({ name, type, missing, missingWords = [], dates = "", statistics, distinct }) => ({
      name,
      type: types[type],
      missing: BigInt(missing),
      missingWords: [...missingWords],
      datePattern: dates,
      distinct: BigInt(distinct?.count ?? 0),
      looks: ("looks" in statistics ? statistics.looks : undefined) ?? "",
    })),
    warnings: [...warnings],
    read: {
      missing: [...missingWords(format, [], false)],
      onlyMissing: true,
      delimiter: schema.delimiter ?? "",
      ...written,
    },
  });
  const resolved: JobSpec = fitSpec(
    checkSpec(create(JobSpecSchema, { dataset: "data", model: "model", ...spec })),
    dataset,
  );
  const directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
  const silent: Reporter = { progress() {}, log() {}, warn() {}, metric() {}, evaluated() {}, checkpoint() {} };
  const library = { read: () => chunksOf(bytes) } as unknown as RegistryLibrary;
  try {
    return await use({
      jobId: "job-1",
      spec: resolved,
      dataset,
      library,
      report: { ...silent, ...job.report },
      checkpoint: job.checkpoint,
      directory,
      threads: job.threads ?? 1,
      memoryBytes: job.memoryBytes ?? 2 ** 30,
      gpus: [],
      datasetLimits: defaultLimits,
      clock: systemClock,
      signal: job.signal ?? new AbortController().signal,
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 2 ** 20) yield bytes.subarray(at, at + 2 ** 20);
}
