import type { ColumnProfile } from "@aimass/datasets";
import { defaultPlan, type Estimator, type FeaturePlan, type FeatureSpec } from "@aimass/learn";

/** Terms kept of a text for an estimator that writes every cell out. */
const mostDenseTerms = 1000;
const eastAsian = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

/**
 * The plan for some columns: the default of @aimass/learn, with strings read as texts where they hold sentences, also short ones, also without spaces;
 * numbers in 0…1 for estimators that take no negative ones; fewer terms for those that cannot use sparse rows.
 */
export function planFeatures(
  columns: readonly ColumnProfile[],
  estimator: Estimator,
  { nonNegative }: { nonNegative: boolean },
): FeaturePlan {
  const plan = defaultPlan({ columns }, "");
  const texts = columns.filter((column) => holdsSentences(column, columns.length === 1)).map(({ name }) => name);
  const specs = new Map(plan.features.map((spec) => ["column" in spec ? spec.column : "", spec]));
  for (const column of texts) specs.set(column, { kind: "text", column, ngrams: [1, 2], sublinear: true });
  const used = columns.filter(({ name }) => specs.has(name));
  const adapt = (spec: FeatureSpec): FeatureSpec => {
    if (spec.kind === "text" && !estimator.sparse) return { ...spec, maxTerms: mostDenseTerms };
    if (spec.kind === "number" && nonNegative) return { ...spec, scale: "minMax" };
    return spec;
  };
  return {
    columns: used.map(({ name, type }) => ({ name, type })),
    features: used.map(({ name }) => adapt(specs.get(name) as FeatureSpec)),
    notes: (plan.notes ?? []).filter((note) => !texts.some((name) => note.startsWith(`Column "${name}" `))),
  };
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
