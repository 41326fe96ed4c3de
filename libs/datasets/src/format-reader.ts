import type { DateOrder } from "@aimass/core";
import type { Batch } from "./batch.ts";
import type { ColumnChoice } from "./column-choice.ts";
import type { DataFile } from "./data-file.ts";
import type { Limits } from "./limits.ts";
import type { Inference } from "./profile/inference.ts";
import type { ColumnType, DatasetSchema } from "./schema.ts";

/** What every reader is made with. */
export interface ReaderContext {
  readonly file: DataFile;
  readonly limits: Limits;
  /** For inference: cells that mean "no value". */
  readonly missing: readonly string[] | undefined;
  /** For inference: whether no column has words of its own that mean "no value". */
  readonly onlyMissing: boolean;
  /** For inference: whether columns that only name rows stay. */
  readonly keepIndex: boolean;
  /** For inference: columns whose type is declared. */
  readonly types: ReadonlyMap<string, ColumnType>;
  /** For inference: columns of strings that are dates, and what comes first in them. They are in `types`, too. */
  readonly dates: ReadonlyMap<string, DateOrder>;
  /** For inference: what stands between cells of delimited text. */
  readonly delimiter: string | undefined;
  /** For inference: as in `DatasetSchema`. */
  readonly encoding: string | undefined;
  readonly decimal: string | undefined;
  readonly thousands: string | undefined;
  /** For inference: which sheet of a workbook is read. */
  readonly sheet: string | undefined;
  /** For inference: which columns are read. */
  readonly choice: ColumnChoice;
}

export interface BatchOptions {
  /** Names of the columns to read, all when left out. */
  readonly columns?: readonly string[] | undefined;
  /** Rows of a batch; the last may have fewer. */
  readonly batchRows: number;
  readonly signal?: AbortSignal | undefined;
}

/** What the columns of a file are, and what all of them are called. */
export interface FileSchema {
  readonly schema: DatasetSchema;
  readonly found: readonly string[];
}

/** One way to write a table. Readers take nothing of a file for granted and fail only with AimassError. */
export interface FormatReader {
  /** Reads the whole file once: its columns' types and statistics. */
  infer(signal: AbortSignal | undefined): Promise<Inference>;
  /** The columns' types where they are known without reading all rows. */
  schema?(signal: AbortSignal | undefined): Promise<FileSchema>;
  /** Reads the file front to back in batches of exactly `batchRows` rows but for the last. */
  batches(schema: DatasetSchema, options: BatchOptions): AsyncIterable<Batch>;
}
