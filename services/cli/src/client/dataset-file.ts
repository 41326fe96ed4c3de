import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { DatasetFormat } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { imageFolder } from "./image-folder.ts";
import { fileSource, type UploadSource } from "./upload.ts";

/** What `--format` takes. */
export const formats = {
  csv: DatasetFormat.CSV,
  tsv: DatasetFormat.TSV,
  jsonl: DatasetFormat.JSON_LINES,
  parquet: DatasetFormat.PARQUET,
  images: DatasetFormat.IMAGE_ZIP,
} as const;

const formatOfExtension: Readonly<Record<string, DatasetFormat>> = {
  ".csv": DatasetFormat.CSV,
  ".tsv": DatasetFormat.TSV,
  ".tab": DatasetFormat.TSV,
  ".jsonl": DatasetFormat.JSON_LINES,
  ".ndjson": DatasetFormat.JSON_LINES,
  ".parquet": DatasetFormat.PARQUET,
  ".pq": DatasetFormat.PARQUET,
  ".zip": DatasetFormat.IMAGE_ZIP,
};

/** What is to be pushed: bytes and how they are written. */
export interface DatasetFile {
  readonly source: UploadSource;
  /** UNSPECIFIED: the registry looks at the bytes. */
  readonly format: DatasetFormat;
}

/** A file of any format, or a folder of images by class. Errors: NOT_FOUND, INVALID_ARGUMENT. */
export async function datasetFile(path: string, format: DatasetFormat | undefined): Promise<DatasetFile> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  if (!info.isDirectory()) {
    const told = format ?? formatOfExtension[extname(path).toLowerCase()] ?? DatasetFormat.UNSPECIFIED;
    return { source: await fileSource(path), format: told };
  }
  if (format !== undefined && format !== DatasetFormat.IMAGE_ZIP)
    throw new AimassError("INVALID_ARGUMENT", `${path} is a folder.`, {
      remedy: "Name a file, or use --format images.",
    });
  return { source: await imageFolder(path), format: DatasetFormat.IMAGE_ZIP };
}
