import { stat } from "node:fs/promises";
import { DatasetFormat } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { imageFolder } from "./image-folder.ts";
import { fileSource, type UploadSource } from "./upload.ts";

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
    return { source: await fileSource(path), format: format ?? DatasetFormat.UNSPECIFIED };
  }
  if (format !== undefined && format !== DatasetFormat.IMAGE_ZIP)
    throw new AimassError("INVALID_ARGUMENT", `${path} is a folder.`, {
      remedy: "Name a file, or use --format images.",
    });
  return { source: await imageFolder(path), format: DatasetFormat.IMAGE_ZIP };
}
