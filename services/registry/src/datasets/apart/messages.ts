import type { Code, DateOrder } from "@aimass/core";
import type { ColumnChoices, ColumnType, DatasetFormat, DatasetProfile, DatasetSchema, Limits } from "@aimass/datasets";

/** What a reading process is told to do, once, at its start. */
export type ReadingJob = ProfileJob | PreviewJob;

interface AnyJob {
  readonly limits: Partial<Limits>;
}

/** Read the file whole: its schema, statistics and warnings. */
export interface ProfileJob extends AnyJob {
  readonly kind: "profile";
  /** Absent: told from the bytes. */
  readonly format?: DatasetFormat;
  /** Cells that mean "no value", beside the usual ones or, with `onlyMissing`, instead of them. */
  readonly missing?: readonly string[];
  readonly onlyMissing?: boolean;
  readonly keepIndex?: boolean;
  readonly delimiter?: string;
  readonly encoding?: string;
  readonly decimal?: string;
  readonly thousands?: string;
  readonly sheet?: string;
  readonly types: ReadonlyMap<string, ColumnType>;
  readonly choices?: ColumnChoices;
  readonly dates?: ReadonlyMap<string, DateOrder>;
}

/** Read the first rows. */
export interface PreviewJob extends AnyJob {
  readonly kind: "preview";
  readonly format: DatasetFormat;
  readonly schema: DatasetSchema;
  readonly rows: number;
}

/** What a pass over a file found. */
export interface Profile extends Omit<DatasetProfile, "preview"> {
  readonly format: DatasetFormat;
}

/** The first rows, cells in the order of `columns`; null where there is no value. */
export interface Preview {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly PreviewValue[])[];
}

export type PreviewValue = number | string | boolean | null;

export type ReadingResult = Profile | Preview;

/** From the registry to a reading process. */
export type ToReader =
  | { readonly start: ReadingJob; readonly sizeBytes: number; readonly hasDescriptor: boolean }
  /** The bytes of a `wanted`. */
  | { readonly part: number; readonly bytes: Uint8Array };

/** From a reading process to the registry. */
export type FromReader =
  | { readonly wanted: number; readonly offset: number; readonly length: number }
  | { readonly found: ReadingResult }
  | { readonly refused: Refusal };

/** An AimassError on its way between processes. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  readonly reason?: string | undefined;
  readonly field?: string | undefined;
  readonly remedy?: string | undefined;
}
