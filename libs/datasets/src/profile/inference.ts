import { type ColumnType, type DatasetSchema, quote } from "../schema.ts";
import type { ColumnStatisticsCollector } from "./column-statistics.ts";
import type { FrequentValue } from "./value-counts.ts";

/** What is known of one column after a pass over the whole file. Plain JSON. */
export interface ColumnProfile {
  readonly name: string;
  readonly type: ColumnType;
  /** Rows with a value. */
  readonly count: number;
  /** Rows without one. */
  readonly missing: number;
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
    }
  | { readonly kind: "boolean"; readonly trueCount: number }
  | {
      readonly kind: "string";
      /** Every value is an ISO 8601 day or moment; a few values that come again; or free text. */
      readonly looks: "date" | "datetime" | "category" | "text";
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

/** A column with what a person should know about it. */
export interface InferredColumn {
  readonly profile: ColumnProfile;
  readonly warnings: readonly string[];
}

/** What one pass over a file found. */
export interface Inference {
  readonly schema: DatasetSchema;
  readonly rows: number;
  readonly columns: readonly ColumnProfile[];
  /** Sentences about columns that may not be read as they were meant. */
  readonly warnings: readonly string[];
}

/** A column whose type is known, from its statistics. */
export function finishColumn(name: string, type: ColumnType, statistics: ColumnStatisticsCollector): InferredColumn {
  const profile =
    type === "number"
      ? statistics.finishNumbers(name)
      : type === "boolean"
        ? statistics.finishBooleans(name)
        : statistics.finishTexts(name);
  const empty = profile.statistics.kind === "empty";
  return { profile, warnings: empty ? [`Column ${quote(name)} has no value in ${profile.missing} rows.`] : [] };
}

/** How the file was read, as the schema keeps it. */
export interface ReadAs {
  readonly missing?: readonly string[] | undefined;
  readonly delimiter?: string | undefined;
}

export function inferenceOf(columns: readonly InferredColumn[], rows: number, readAs: ReadAs): Inference {
  const { missing, delimiter } = readAs;
  return {
    schema: {
      columns: columns.map(({ profile }) => ({ name: profile.name, type: profile.type })),
      ...(missing === undefined ? {} : { missing }),
      ...(delimiter === undefined ? {} : { delimiter }),
    },
    rows,
    columns: columns.map(({ profile }) => profile),
    warnings: columns.flatMap(({ profile, warnings }) => [...warnings, ...constantWarnings(profile)]),
  };
}

/** A column that says nothing: every row has the same value. */
function constantWarnings({ name, distinct, missing, count, frequent }: ColumnProfile): string[] {
  if (distinct === undefined || !distinct.exact || distinct.count !== 1 || missing > 0 || count < 2) return [];
  return [
    `Column ${quote(name)} has the same value, ${quote(frequent?.values[0]?.value ?? "")}, in all ${count} rows.`,
  ];
}
