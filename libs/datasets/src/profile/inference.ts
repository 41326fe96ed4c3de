import { type ColumnSchema, type ColumnType, type DatasetSchema, quote } from "../schema.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { ColumnStatisticsCollector } from "./column-statistics.ts";

/** A column with what a person should know about it. */
export interface InferredColumn {
  readonly profile: ColumnProfile;
  readonly warnings: readonly string[];
}

/** What one pass over a file found. */
export interface Inference {
  readonly schema: DatasetSchema;
  readonly rows: number;
  /** Every column of the file, those that are left out too. */
  readonly found?: readonly string[];
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
  const warnings = empty
    ? [`Column ${quote(name)} has no value in ${profile.missing} rows.`]
    : statistics.warnings(profile);
  return { profile, warnings };
}

/** How the file was read, as the schema keeps it. */
export interface ReadAs {
  readonly missing?: readonly string[] | undefined;
  readonly delimiter?: string | undefined;
  readonly encoding?: string | undefined;
  readonly decimal?: string | undefined;
  readonly thousands?: string | undefined;
  /** Every column of the file; those that are read when left out. */
  readonly found?: readonly string[];
  /** Whether columns of the file are left out. */
  readonly partial?: boolean;
}

/** `notes`: what a person should know of the file as a whole. */
export function inferenceOf(
  columns: readonly InferredColumn[],
  rows: number,
  readAs: ReadAs,
  notes: readonly string[] = [],
): Inference {
  const { missing, delimiter, found, encoding, decimal, thousands, partial = false } = readAs;
  return {
    ...(found !== undefined && { found }),
    schema: {
      columns: columns.map(({ profile }) => schemaOf(profile)),
      ...(missing === undefined ? {} : { missing }),
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(encoding === undefined ? {} : { encoding }),
      ...(decimal === undefined ? {} : { decimal }),
      ...(thousands === undefined ? {} : { thousands }),
      ...(partial && { partial }),
    },
    rows,
    columns: columns.map(({ profile }) => profile),
    warnings: [...notes, ...columns.flatMap(({ profile, warnings }) => [...warnings, ...constantWarnings(profile)])],
  };
}

function schemaOf({ name, type, missingWords = [], source, element, dates }: ColumnProfile): ColumnSchema {
  return {
    ...{ name, type },
    ...(missingWords.length > 0 && { missing: missingWords }),
    ...(source !== undefined && { source }),
    ...(element !== undefined && { element }),
    ...(dates !== undefined && { dates }),
  };
}

/** A column that says nothing: every row has the same value. */
function constantWarnings({ name, distinct, missing, count, frequent }: ColumnProfile): string[] {
  if (distinct === undefined || !distinct.exact || distinct.count !== 1 || missing > 0 || count < 2) return [];
  return [
    `Column ${quote(name)} has the same value, ${quote(frequent?.values[0]?.value ?? "")}, in all ${count} rows.`,
  ];
}
