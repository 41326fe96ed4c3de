import type { ColumnProfile } from "@aimass/datasets";
import type { FeaturePlan, FeatureSpec } from "@aimass/learn";
import type { TrainingData } from "../data/training-data.ts";
import type { DataFacts } from "./auto-candidates.ts";

const defaults = {
  dateParts: 8,
  categories: 200,
  bins: 256,
  buckets: 10,
  pairs: 1024,
  side: 32,
  terms: 50_000,
  denseTerms: 1000,
};

/** What matters of data and their features. `rowsShare`: of the training rows that a trial is fitted to. */
export function factsOf(data: TrainingData, plan: FeaturePlan, rowsShare: number): DataFacts {
  const kinds = plan.features.map(({ kind }) => kind);
  const texts = kinds.filter((kind) => kind === "text").length;
  const images = kinds.filter((kind) => kind === "image").length;
  return {
    task: data.task,
    rows: Math.floor(data.rows.train * rowsShare),
    features: widthOf(plan, data.profiles),
    tables: kinds.length - texts - images,
    texts,
    images,
    classes: data.labels?.values.length ?? 0,
  };
}

/** About how many numbers a row becomes, where every cell is written out. */
function widthOf({ features }: FeaturePlan, profiles: readonly ColumnProfile[]): number {
  return features.reduce((sum, spec) => sum + width(spec, profiles), 0);
}

function width(spec: FeatureSpec, profiles: readonly ColumnProfile[]): number {
  switch (spec.kind) {
    case "number":
      return profileOf(spec.column, profiles)?.missing === 0 ? 1 : 2;
    case "oneHot":
      return Math.min(
        spec.maxCategories ?? defaults.categories,
        profileOf(spec.column, profiles)?.distinct?.count ?? 2,
      );
    case "hash":
      return spec.bins ?? defaults.bins;
    case "bucket":
      return (spec.edges?.length ?? spec.buckets ?? defaults.buckets) + 1;
    case "cross":
      return spec.maxFeatures ?? defaults.pairs;
    case "text":
      return Math.min(spec.maxTerms ?? defaults.terms, defaults.denseTerms);
    case "image":
      return pixels(spec);
    case "date":
      return defaults.dateParts;
  }
}

function pixels({
  size = [defaults.side, defaults.side],
  channels,
  pixels: has,
  histogram = 0,
}: Extract<FeatureSpec, { kind: "image" }>): number {
  const colours = channels === "grey" ? 1 : 3;
  return (has === false ? 0 : size[0] * size[1] * colours) + histogram * 3;
}

function profileOf(name: string, profiles: readonly ColumnProfile[]): ColumnProfile | undefined {
  return profiles.find((profile) => profile.name === name);
}
