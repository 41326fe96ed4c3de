import { AimassError } from "@aimass/core";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** What a file may ask of its reader. Everything is checked before memory is taken for it. */
export interface Limits {
  /** Columns of a table. */
  readonly columns: number;
  /** Rows of a table. */
  readonly rows: number;
  /** Bytes of one row of CSV, TSV or JSON Lines. */
  readonly rowBytes: number;
  /** Bytes of one cell of any format. */
  readonly cellBytes: number;
  /** Bytes of a Parquet footer. */
  readonly parquetFooterBytes: number;
  /** Row groups of a Parquet file. */
  readonly parquetRowGroups: number;
  /** Declared rows of one Parquet row group. */
  readonly parquetGroupRows: number;
  /** Decompressed bytes of one Parquet page, dictionaries included. */
  readonly parquetPageBytes: number;
  /** Values of one Parquet page, dictionaries included. */
  readonly parquetPageValues: number;
  /** Entries of a ZIP file. */
  readonly zipEntries: number;
  /** Decompressed bytes of one ZIP entry. */
  readonly zipEntryBytes: number;
  /** Decompressed bytes of all ZIP entries together. */
  readonly zipTotalBytes: number;
  /** Decompressed over compressed size of a ZIP entry of more than 1 MiB. */
  readonly zipRatio: number;
  /** Pixels of an image: width × height. */
  readonly imagePixels: number;
  /** Width and height of an image, each. */
  readonly imageSide: number;
  /** Passes (scans) of a progressive JPEG. */
  readonly jpegScans: number;
}

/** The defaults: large enough for honest data sets on one machine, small enough that no file takes the process down. */
export const defaultLimits: Limits = {
  columns: 10_000,
  rows: 1_000_000_000,
  rowBytes: 16 * MiB,
  cellBytes: 4 * MiB,
  parquetFooterBytes: 16 * MiB,
  parquetRowGroups: 100_000,
  parquetGroupRows: 64 * MiB,
  parquetPageBytes: 128 * MiB,
  parquetPageValues: 8 * MiB,
  zipEntries: 1_000_000,
  zipEntryBytes: 32 * MiB,
  zipTotalBytes: 64 * GiB,
  zipRatio: 200,
  imagePixels: 32 * MiB,
  imageSide: 16_384,
  jpegScans: 64,
};

/** The refusal of a file that asks for more than a limit allows. `what` says where and how much it asks for. */
export function overLimit(name: keyof Limits, limits: Limits, what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${what}; the limit is ${limits[name].toLocaleString("en")}.`, {
    reason: "DATASET_LIMIT",
    field: name,
    remedy: "Make the file smaller, or ask an operator to raise the limit.",
  });
}
