import type { ColumnProfile } from "@aimass/datasets";
import { defaultPlan, type Estimator, type FeaturePlan, type FeatureSpec, planColumn } from "@aimass/learn";

/** Terms kept of a text for an estimator that writes every cell out. */
const mostDenseTerms = 1000;
const usualSize = [32, 32] as const;
const eastAsian = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

export interface PlanOptions {
  /** Whether features must not be negative. */
  readonly nonNegative: boolean;
  /** Features by hand, and whether they are all: columns that they do not name keep the default ones otherwise. */
  readonly hand?: { readonly features: readonly FeatureSpec[]; readonly only: boolean };
  /** Whether a person named the columns: then all of them are features. */
  readonly named: boolean;
  /** What categories are that training did not see. */
  readonly unknown?: "other" | "none" | "frequent";
}

/**
 * The plan for some columns: the default of @aimass/learn, with strings read as texts where they hold sentences, also short ones, also without spaces;
 * numbers in 0…1 for estimators that take no negative ones; fewer terms for those that cannot use sparse rows; pictures in their own size where it is small and the same.
 */
export function planFeatures(
  columns: readonly ColumnProfile[],
  estimator: Estimator,
  { nonNegative, named, hand, unknown }: PlanOptions,
): FeaturePlan {
  const byHand = new Set((hand?.features ?? []).flatMap(columnsOf));
  const rest = hand?.only === true ? [] : columns.filter(({ name }) => !byHand.has(name));
  const defaults = defaultFeatures(rest, { isAlone: columns.length === 1, named });
  const notes = [...defaults.notes];
  const adapt = (spec: FeatureSpec): FeatureSpec => {
    if (spec.kind === "text" && !estimator.sparse && spec.maxTerms === undefined) {
      notes.push(
        `Text "${spec.column}" is cut to its ${mostDenseTerms} most frequent terms: this recipe writes every cell out.`,
      );
      return { ...spec, maxTerms: mostDenseTerms };
    }
    if (spec.kind === "number" && nonNegative && spec.scale === undefined) return { ...spec, scale: "minMax" };
    if (spec.kind === "date") {
      return { ...spec, nonNegative, encoding: estimator.sparse ? "circles" : "ordered" };
    }
    if (spec.kind === "image" && spec.size === undefined) return { ...spec, size: imageSize(columns, spec.column) };
    return withUnknown(spec, unknown);
  };
  const features = [...defaults.features, ...(hand?.features ?? [])].map(adapt);
  const byColumn = new Map(features.flatMap((spec) => columnsOf(spec).map((name) => [name, spec] as const)));
  return {
    columns: columns.flatMap((column) => {
      const spec = byColumn.get(column.name);
      return spec === undefined ? [] : [planColumn(column, spec)];
    }),
    features,
    notes,
  };
}

function defaultFeatures(columns: readonly ColumnProfile[], { isAlone, named }: { isAlone: boolean; named: boolean }) {
  const { features, notes = [] } = defaultPlan({ columns }, "", { named });
  const texts = columns.filter((column) => holdsSentences(column, isAlone)).map(({ name }) => name);
  const specs = new Map(features.map((spec) => ["column" in spec ? spec.column : "", spec]));
  for (const column of texts) specs.set(column, { kind: "text", column, ngrams: [1, 2], sublinear: true });
  return {
    features: columns.flatMap(({ name }) => specs.get(name) ?? []),
    notes: notes.filter((note) => !texts.some((name) => note.startsWith(`Column "${name}" `))),
  };
}

function withUnknown(spec: FeatureSpec, unknown: PlanOptions["unknown"]): FeatureSpec {
  if (unknown === undefined || unknown === "other") return spec;
  if (spec.kind === "oneHot") return { ...spec, unknown };
  if (spec.kind !== "cross") return spec;
  const [left, right] = spec.of.map((part) => (part.kind === "oneHot" ? { ...part, unknown } : part));
  return { ...spec, of: [left as (typeof spec.of)[0], right as (typeof spec.of)[1]] };
}

/** The size of the pictures when all are one size of at most 64 × 64, else 32 × 32. */
function imageSize(columns: readonly ColumnProfile[], name: string): readonly [number, number] {
  const statistics = columns.find((column) => column.name === name)?.statistics;
  if (statistics?.kind !== "image") return usualSize;
  const { minimumHeight, maximumHeight, minimumWidth, maximumWidth } = statistics;
  const isOne = minimumHeight === maximumHeight && minimumWidth === maximumWidth;
  return isOne && Math.max(maximumHeight, maximumWidth) <= 64 ? [maximumHeight, maximumWidth] : usualSize;
}

function columnsOf(spec: FeatureSpec): readonly string[] {
  return spec.kind === "cross" ? spec.of.map(({ column }) => column) : [spec.column];
}

/** Judged by the most frequent values: four East Asian characters each, or, of a column that stands alone, three words. */
function holdsSentences({ type, statistics, frequent }: ColumnProfile, isAlone: boolean): boolean {
  if (type !== "string" || statistics.kind !== "string" || frequent === undefined) return false;
  if (statistics.looks !== "text" && !isAlone) return false;
  const samples = frequent.values.map(({ value }) => value);
  const mean = (size: (text: string) => number) =>
    samples.reduce((sum, text) => sum + size(text), 0) / Math.max(samples.length, 1);
  const words = mean((text) => text.split(/\s+/u).filter(Boolean).length);
  return mean((text) => text.match(eastAsian)?.length ?? 0) >= 4 || (isAlone && words >= 3);
}
