import {
  type DatasetVersion,
  type PreviewCell,
  PreviewCellSchema,
  type PreviewDatasetResponse,
  PreviewDatasetResponseSchema,
  PreviewRowSchema,
} from "@aimass/api/registry";
import type { DatasetSchema } from "@aimass/datasets";
import { create } from "@bufbuild/protobuf";
import { invalid } from "../names.ts";
import type { PreviewValue } from "./apart/messages.ts";
import type { DatasetReader } from "./dataset-reader.ts";
import { keptMissing, writtenAs } from "./read-options.ts";
import { decodeFormat, decodeType } from "./terms.ts";

const usualRows = 10;
const mostRows = 100;

/** The first rows of a version; `rows` 0 is 10. Errors: INVALID_ARGUMENT (`rows`), and those of the reader. */
export async function previewDataset(
  reader: DatasetReader,
  version: DatasetVersion,
  rows: number,
  signal: AbortSignal,
): Promise<PreviewDatasetResponse> {
  if (rows < 0 || rows > mostRows) {
    throw invalid("rows", `${rows} rows cannot be previewed.`, `Ask for 1 to ${mostRows}, or 0 for ${usualRows}.`);
  }
  const found = await reader.preview(
    Buffer.from(version.sha256).toString("hex"),
    {
      format: decodeFormat(version.format) ?? "csv",
      schema: schemaOf(version),
      rows: rows === 0 ? usualRows : rows,
    },
    signal,
  );
  return create(PreviewDatasetResponseSchema, {
    columns: [...found.columns],
    rows: found.rows.map((cells) => create(PreviewRowSchema, { cells: cells.map(encodeCell) })),
  });
}

/** How a version is read, always in the same way. */
export function schemaOf({ columns, read, format }: DatasetVersion): DatasetSchema {
  return {
    // A version was read whole when it was made: what has no column was left out then.
    partial: true,
    columns: columns.map(({ name, type, missingWords, sourceName, element, datePattern }) => ({
      ...{ name, type: decodeType(type) ?? "string" },
      ...(sourceName !== "" && { source: sourceName }),
      ...(element !== undefined && { element }),
      ...(missingWords.length > 0 && { missing: missingWords }),
      ...(datePattern !== "" && { dates: datePattern }),
    })),
    missing: keptMissing(read, format),
    ...(read !== undefined && writtenAs(read)),
  };
}

function encodeCell(value: PreviewValue): PreviewCell {
  if (value === null) return create(PreviewCellSchema);
  if (typeof value === "number") return create(PreviewCellSchema, { value: { case: "number", value } });
  if (typeof value === "boolean") return create(PreviewCellSchema, { value: { case: "boolean", value } });
  return create(PreviewCellSchema, { value: { case: "text", value } });
}
