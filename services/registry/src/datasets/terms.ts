import { ColumnType as ApiColumnType, DatasetFormat as ApiFormat } from "@aimass/api/registry";
import type { ColumnType, DatasetFormat } from "@aimass/datasets";

const formats = {
  csv: ApiFormat.CSV,
  tsv: ApiFormat.TSV,
  "json-lines": ApiFormat.JSON_LINES,
  json: ApiFormat.JSON,
  xlsx: ApiFormat.XLSX,
  parquet: ApiFormat.PARQUET,
  arrow: ApiFormat.ARROW,
  "image-zip": ApiFormat.IMAGE_ZIP,
} as const satisfies Record<DatasetFormat, ApiFormat>;

const types = {
  number: ApiColumnType.NUMBER,
  string: ApiColumnType.STRING,
  boolean: ApiColumnType.BOOLEAN,
  image: ApiColumnType.IMAGE,
} as const satisfies Record<ColumnType, ApiColumnType>;

/** The API's word for a format. */
export const encodeFormat = (format: DatasetFormat): ApiFormat => formats[format];

/** The API's word for a type of column. */
export const encodeType = (type: ColumnType): ApiColumnType => types[type];

/** Undefined for UNSPECIFIED and for what is not known. */
export function decodeFormat(format: ApiFormat): DatasetFormat | undefined {
  return keyOf(formats, format);
}

/** Undefined for UNSPECIFIED and for what is not known. */
export function decodeType(type: ApiColumnType): ColumnType | undefined {
  return keyOf(types, type);
}

function keyOf<K extends string, V>(table: Readonly<Record<K, V>>, wanted: V): K | undefined {
  return (Object.keys(table) as K[]).find((key) => table[key] === wanted);
}
