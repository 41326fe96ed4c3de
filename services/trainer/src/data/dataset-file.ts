import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ColumnType, DatasetFormat, type DatasetVersion } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import {
  type DatasetLimits,
  type DatasetSchema,
  type DatasetFormat as Format,
  formerMissing,
  type ColumnType as Type,
} from "@aimass/datasets";
import type { JobWork } from "../worker/job-work.ts";

const formats: Partial<Record<DatasetFormat, Format>> = {
  [DatasetFormat.CSV]: "csv",
  [DatasetFormat.TSV]: "tsv",
  [DatasetFormat.JSON_LINES]: "json-lines",
  [DatasetFormat.JSON]: "json",
  [DatasetFormat.XLSX]: "xlsx",
  [DatasetFormat.PARQUET]: "parquet",
  [DatasetFormat.ARROW]: "arrow",
  [DatasetFormat.IMAGE_ZIP]: "image-zip",
};

const types: Partial<Record<ColumnType, Type>> = {
  [ColumnType.NUMBER]: "number",
  [ColumnType.STRING]: "string",
  [ColumnType.BOOLEAN]: "boolean",
  [ColumnType.IMAGE]: "image",
};

/** How a dataset version is read: as the registry read it when it was made. Plain JSON. */
export interface ReadAs {
  readonly format: Format;
  readonly schema: DatasetSchema;
}

/** With what it may ask of its reader. */
export interface BoundedRead extends ReadAs {
  readonly limits: DatasetLimits;
}

/** Versions that were made before read options were kept are read by what was usual then. */
export function readAs({ format, columns, read }: DatasetVersion): ReadAs {
  const isDelimited = format === DatasetFormat.CSV || format === DatasetFormat.TSV;
  const keepsNone = read === undefined || (isDelimited && read.missing.length === 0 && !read.onlyMissing);
  return {
    format: formats[format] ?? "csv",
    schema: {
      // A version was read whole when it was made: what has no column was left out then.
      partial: true,
      columns: columns.map(({ name, type, missingWords, sourceName, element, datePattern }) => ({
        ...{ name, type: types[type] ?? "string" },
        ...(sourceName !== "" && { source: sourceName }),
        ...(element !== undefined && { element }),
        ...(missingWords.length > 0 && { missing: missingWords }),
        ...(datePattern !== "" && { dates: datePattern }),
      })),
      missing: keepsNone ? formerMissing : read.missing,
      ...(read !== undefined && {
        ...(read.delimiter !== "" && { delimiter: read.delimiter }),
        ...(read.encoding !== "" && { encoding: read.encoding }),
        ...(read.decimal !== "" && { decimal: read.decimal }),
        ...(read.thousands !== "" && { thousands: read.thousands }),
        ...(read.sheet !== "" && { sheet: read.sheet }),
      }),
    },
  };
}

/** Brings the dataset into the job's folder; gives back its path. Errors: RESOURCE_EXHAUSTED for a full disk, those of the registry. */
export async function fetchDataset(
  { dataset, library, directory, signal }: JobWork,
  path = join(directory, "dataset"),
): Promise<string> {
  const bytes = Readable.from(library.read(dataset.sha256, signal), { objectMode: true, highWaterMark: 2 });
  try {
    await pipeline(bytes, createWriteStream(path), { signal });
  } catch (error) {
    throw diskError(error) ?? error;
  }
  return path;
}

/** What a full disk means for a job; undefined for other errors. */
export function diskError(error: unknown): AimassError | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EFBIG") return undefined;
  return new AimassError("RESOURCE_EXHAUSTED", "The trainer's disk is full.", {
    reason: "DISK_FULL",
    remedy: "Make room in the folder for temporary files (TMPDIR), or use a smaller dataset.",
    cause: error,
  });
}
