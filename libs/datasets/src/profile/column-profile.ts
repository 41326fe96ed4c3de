import type { ColumnType } from "../schema.ts";
import type { FrequentValue } from "./value-counts.ts";

/** What is known of one column after a pass over the whole file. Plain JSON. */
export interface ColumnProfile {
  readonly name: string;
  readonly type: ColumnType;
  /** Rows with a value. */
  readonly count: number;
  /** Rows without one. */
  readonly missing: number;
  /** Words of this column alone that mean "no value". Absent: none. */
  readonly missingWords?: readonly string[];
  /** As in `ColumnSchema`. */
  readonly source?: string;
  readonly element?: number;
  /** Of strings that are days or moments, how the file writes them where it is not ISO 8601: `ColumnSchema.dates`. All figures are of what was read. */
  readonly dates?: string;
  /** Different values; exact up to 1024, above that an estimate within about 2 %. Absent for images. */
  readonly distinct?: { readonly count: number; readonly exact: boolean };
  /** At most 20, most frequent first. A count may be too low by at most `undercount`. Absent for images. */
  readonly frequent?: { readonly values: readonly FrequentValue[]; readonly undercount: number };
  readonly statistics: ColumnStatistics;
}

/** Figures by type of column. Those of a column without any value are absent. */
export type ColumnStatistics =
  | { readonly kind: "empty" }
  | {
      readonly kind: "number";
      readonly minimum: number;
      readonly maximum: number;
      readonly mean: number;
      /** Of the sample (divisor n − 1); 0 for a single number. */
      readonly standardDeviation: number;
      readonly integers: boolean;
      /** "id": whole numbers that name rows. Absent: a measurement. */
      readonly looks?: "id";
    }
  | { readonly kind: "boolean"; readonly trueCount: number }
  | {
      readonly kind: "string";
      /** Every value is a day or a moment; a name of its row; one of a few values that come again; or free text. */
      readonly looks: "date" | "datetime" | "id" | "category" | "text";
      /** Length of the shortest and the longest value, in characters (code points). */
      readonly shortest: number;
      readonly longest: number;
    }
  | {
      readonly kind: "image";
      readonly minimumWidth: number;
      readonly maximumWidth: number;
      readonly minimumHeight: number;
      readonly maximumHeight: number;
      readonly png: number;
      readonly jpeg: number;
    };
