import { DatasetFormat } from "@aimass/api/registry";
import type { Packing, DatasetFormat as ReadFormat } from "@aimass/datasets";

interface FormatFacts {
  readonly format: DatasetFormat;
  /** How the readers call it. */
  readonly reader: ReadFormat;
  readonly extension: string;
  /** Whether it may be compressed as a whole. */
  readonly isText: boolean;
}

/** The formats of datasets by the words of `--format`. */
export const datasetFormats = {
  csv: { format: DatasetFormat.CSV, reader: "csv", extension: ".csv", isText: true },
  tsv: { format: DatasetFormat.TSV, reader: "tsv", extension: ".tsv", isText: true },
  jsonl: { format: DatasetFormat.JSON_LINES, reader: "json-lines", extension: ".jsonl", isText: true },
  json: { format: DatasetFormat.JSON, reader: "json", extension: ".json", isText: true },
  xlsx: { format: DatasetFormat.XLSX, reader: "xlsx", extension: ".xlsx", isText: false },
  parquet: { format: DatasetFormat.PARQUET, reader: "parquet", extension: ".parquet", isText: false },
  arrow: { format: DatasetFormat.ARROW, reader: "arrow", extension: ".feather", isText: false },
  images: { format: DatasetFormat.IMAGE_ZIP, reader: "image-zip", extension: ".zip", isText: false },
} as const satisfies Readonly<Record<string, FormatFacts>>;

export type FormatWord = keyof typeof datasetFormats;

export const formatWords = Object.keys(datasetFormats) as FormatWord[];

/** Those of tables. */
export const tableWords = formatWords.filter((word) => word !== "images");

/** What the name of a version's file ends with. */
export function extensionOf(format: DatasetFormat, packing: Packing | undefined): string {
  const found = Object.values<FormatFacts>(datasetFormats).find((one) => one.format === format);
  if (found?.isText !== true || packing === undefined) return found?.extension ?? "";
  return `${found.extension}${packing === "gzip" ? ".gz" : ".zst"}`;
}
