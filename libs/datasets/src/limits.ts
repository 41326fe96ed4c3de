import { AimassError, type Variables } from "@aimass/core";

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
  /** Bytes of JSON that is held in memory, because its rows do not stand one after another. */
  readonly jsonTableBytes: number;
  /** Bytes of what is held of a workbook beside its cells: the texts that they share, styles and sheets. Each file of them may have as many. */
  readonly workbookTextBytes: number;
  /** Bytes of one batch of an Arrow file, as it stands in the file and unpacked, and of all its dictionaries as they are held. */
  readonly arrowBatchBytes: number;
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
  jsonTableBytes: 128 * MiB,
  workbookTextBytes: 256 * MiB,
  arrowBatchBytes: 256 * MiB,
  jpegScans: 64,
};

/** The limits that operators set, alike for whatever reads datasets: what one service accepted the next must be able to read. */
export type DatasetLimits = Pick<Limits, "columns" | "rows" | "rowBytes" | "zipTotalBytes" | "imagePixels">;

const variables = {
  columns: "AIMASS_MAX_DATASET_COLUMNS",
  rows: "AIMASS_MAX_DATASET_ROWS",
  rowBytes: "AIMASS_MAX_DATASET_ROW_BYTES",
  zipTotalBytes: "AIMASS_MAX_DATASET_UNPACKED_BYTES",
  imagePixels: "AIMASS_MAX_IMAGE_PIXELS",
} as const satisfies Record<keyof DatasetLimits, string>;

/** Reads them from a service's environment. */
export function readDatasetLimits(v: Variables): DatasetLimits {
  return {
    columns: v.integer(variables.columns, { fallback: 10_000, minimum: 1, maximum: 100_000 }),
    rows: v.integer(variables.rows, { fallback: 1e9, minimum: 1, maximum: 1e12 }),
    rowBytes: v.integer(variables.rowBytes, { fallback: MiB, minimum: KiB, maximum: 64 * MiB }),
    zipTotalBytes: v.integer(variables.zipTotalBytes, { fallback: 64 * GiB, minimum: MiB, maximum: 5 * 1024 * GiB }),
    imagePixels: v.integer(variables.imagePixels, { fallback: 32 * MiB, minimum: 1, maximum: 1024 * MiB }),
  };
}

/** The refusal of a file that asks for more than a limit allows. `what` says where and how much it asks for. */
export function overLimit(name: keyof Limits, limits: Limits, what: string, otherwise?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${what}; the limit is ${limits[name].toLocaleString("en")}.`, {
    reason: "DATASET_LIMIT",
    field: name,
    remedy: `Make the file smaller${canBeRaised(name) ? `, or ask an operator to raise ${variables[name]}` : ""}.`,
    ...(otherwise !== undefined && { remedy: otherwise }),
  });
}

function canBeRaised(name: keyof Limits): name is keyof DatasetLimits {
  return Object.hasOwn(variables, name);
}
