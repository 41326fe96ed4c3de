export type { ColumnBaseline, NumberBaseline } from "./baseline.ts";
export { type ColumnReading, momentReader } from "./column-reading.ts";
export type { Batch, ColumnData, ColumnType, RgbImage } from "./columns.ts";
export { type DatePart, dateParts } from "./dates/date-parts.ts";
export { decodeImages } from "./decode-images.ts";
export { type ColumnFacts, defaultPlan, planColumn, type TableSchema } from "./default-plan.ts";
export { FeatureFit, fitFeatures } from "./feature-fit.ts";
export { type FeatureInput, featureGraphOptions } from "./feature-graph.ts";
export { Features, type FeaturesInGraph, type FeaturesJson } from "./features.ts";
export type {
  BucketFeature,
  CrossFeature,
  DateFeature,
  FeaturePlan,
  FeatureSpec,
  HashFeature,
  ImageFeature,
  NumberFeature,
  OneHotFeature,
  PlanColumn,
  TextFeature,
} from "./plan.ts";
