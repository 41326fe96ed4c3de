import { type NumberFigures, shiftFor } from "./column-reading.ts";
import type { ColumnType } from "./columns.ts";
import type { FeaturePlan, FeatureSpec, PlanColumn } from "./plan.ts";

/** What is known of a column before anything is fitted: a column profile of @aimass/datasets, or its name and type alone. */
export interface ColumnFacts {
  readonly name: string;
  readonly type: ColumnType;
  /** Rows with a value. */
  readonly count?: number;
  /** Rows without one. */
  readonly missing?: number;
  readonly distinct?: { readonly count: number };
  /** Some values, most frequent first. */
  readonly frequent?: { readonly values: readonly { readonly value: string }[] };
  readonly statistics?: Partial<NumberFigures> & {
    readonly kind: string;
    readonly looks?: "date" | "datetime" | "id" | "category" | "text";
  };
}

export interface TableSchema {
  readonly columns: readonly ColumnFacts[];
}

/** Categories up to this many get features of their own; more are hashed. */
const mostCategories = 1000;

export interface DefaultPlanOptions {
  /** Whether a person named these columns: then those that name rows are features too. */
  readonly named?: boolean;
}

/**
 * A sensible plan for all columns but the target: numbers imputed by the median and scaled; categories one-hot or (more than 1000) hashed; longer
 * strings as TF-IDF of one and two words; dates as parts and elapsed time; images as 32 × 32 pixels. Columns that tell nothing are left out with a note: one value in every row, another value in
 * every row, names of rows. One value and gaps tell where the gaps are.
 */
export function defaultPlan(
  schema: TableSchema,
  target: string,
  { named = false }: DefaultPlanOptions = {},
): FeaturePlan {
  const columns: PlanColumn[] = [];
  const features: FeatureSpec[] = [];
  const notes: string[] = [];
  for (const facts of schema.columns) {
    if (facts.name === target) continue;
    const useless = whyUseless(facts) ?? (named ? undefined : whyName(facts));
    if (useless !== undefined) {
      notes.push(`Column "${facts.name}" is left out: ${useless}.`);
      continue;
    }
    const spec = specFor(facts);
    columns.push(planColumn(facts, spec));
    features.push(spec);
  }
  return { columns, features, ...(notes.length > 0 ? { notes } : {}) };
}

function whyUseless(facts: ColumnFacts): string | undefined {
  const { name, type, count, missing = 0, distinct } = facts;
  if (name === "") return "it has no name";
  if (count === 0) return "all of its values are missing";
  if (type === "image" || count === undefined || distinct === undefined) return undefined;
  if (distinct.count === 1 && count > 1 && missing === 0) return "it has one value only";
  return undefined;
}

/** A column as a feature reads it: dates by their calendar, numbers that FP32 would make one of many by how far they are from their middle. */
export function planColumn({ name, type, statistics }: ColumnFacts, spec: FeatureSpec): PlanColumn {
  const looks = statistics?.looks;
  if (spec.kind === "date") {
    return { name, type, ...((looks === "date" || looks === "datetime") && { reading: { kind: looks } }) };
  }
  const figures = type === "number" && statistics?.minimum !== undefined ? (statistics as NumberFigures) : undefined;
  const reading = figures && shiftFor(figures);
  return { name, type, ...(reading && { reading }) };
}

/** Of a column that names rows, or has a word for every row: what is learnt from it holds for no other row. */
function whyName(facts: ColumnFacts): string | undefined {
  const { type, count, distinct, statistics } = facts;
  if (statistics?.looks === "id") return "its values name rows; name it among the features to learn from it";
  if (type !== "string" || count === undefined || distinct === undefined || isText(facts)) return undefined;
  if (statistics?.looks?.startsWith("date")) return undefined;
  const isOfRow = count >= 100 && distinct.count > 0.95 * count;
  return isOfRow ? "nearly every row has a value of its own; name it among the features to learn from it" : undefined;
}

function specFor(facts: ColumnFacts): FeatureSpec {
  const { name: column, type, distinct } = facts;
  if (type === "image") return { kind: "image", column };
  if (type === "boolean") return { kind: "number", column, impute: "mostFrequent", scale: "none" };
  if (type === "number") return { kind: "number", column };
  if (facts.statistics?.looks?.startsWith("date")) return { kind: "date", column };
  if (isText(facts)) return { kind: "text", column, ngrams: [1, 2], sublinear: true };
  const many = distinct !== undefined && distinct.count > mostCategories;
  return many ? { kind: "hash", column } : { kind: "oneHot", column };
}

/** Strings that do not repeat and are long: three words, or 16 characters where no spaces part the words. Judged by some of them. */
function isText({ type, statistics, frequent }: ColumnFacts): boolean {
  if (type !== "string" || statistics?.looks !== "text" || frequent === undefined) return false;
  const samples = frequent.values.map(({ value }) => value);
  const mean = (size: (text: string) => number) =>
    samples.reduce((sum, text) => sum + size(text), 0) / Math.max(samples.length, 1);
  return mean((text) => text.split(/\s+/u).filter(Boolean).length) >= 3 || mean((text) => text.length) >= 16;
}
