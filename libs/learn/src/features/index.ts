export type { ColumnBaseline, NumberBaseline } from "./baseline.ts";
export type { Batch, ColumnData, ColumnType, RgbImage } from "./columns.ts";
export { decodeImages } from "./decode-images.ts";
export { type ColumnFacts, defaultPlan, type TableSchema } from "./default-plan.ts";
export { FeatureFit, fitFeatures } from "./feature-fit.ts";
export { type FeatureInput, featureGraphOptions } from "./feature-graph.ts";
export { Features, type FeaturesInGraph, type FeaturesJson } from "./features.ts";
export type {
  BucketFeature,
  CrossFeature,
  FeaturePlan,
  FeatureSpec,
  HashFeature,
  ImageFeature,
  NumberFeature,
  OneHotFeature,
  PlanColumn,
  TextFeature,
} from "./plan.ts";
