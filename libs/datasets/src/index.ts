export { type Batch, type ColumnData, missingBoolean, takeRows, valueAt } from "./batch.ts";
export { isEncoding } from "./byte-source.ts";
export { type CacheOptions, cachedFile } from "./cached-file.ts";
export { booleanOf, booleanWords, MissingTokens } from "./cells/cell-values.ts";
export type { ColumnChoices } from "./column-choice.ts";
export { type DataFile, localFile, memoryFile } from "./data-file.ts";
export { type Dataset, type DatasetOptions, type DatasetProfile, openDataset, profileDataset } from "./dataset.ts";
export { detectFormat } from "./detect-format.ts";
export type { BatchOptions } from "./format-reader.ts";
export { decodeImage } from "./images/decode-image.ts";
export type { ImageHeader } from "./images/image-header.ts";
export type { ImageReference } from "./images/image-reference.ts";
export type { RgbImage } from "./images/rgb-image.ts";
export { type DatasetLimits, defaultLimits, type Limits, readDatasetLimits } from "./limits.ts";
export { type ColumnKind, columnKind } from "./profile/column-kind.ts";
export type { ColumnProfile, ColumnStatistics } from "./profile/column-profile.ts";
export type { FrequentValue } from "./profile/value-counts.ts";
export {
  type ColumnSchema,
  type ColumnType,
  type DatasetFormat,
  type DatasetSchema,
  defaultMissing,
  formerMissing,
  isWarningOf,
  missingWords,
} from "./schema.ts";
export { partBatches, type RowAssignment, type SelectedBatch, unassigned } from "./split/assignment.ts";
export { type FoldSpec, planFolds } from "./split/folds.ts";
export { checkLeakage, type DuplicateExample, type LeakageOptions, type LeakageReport } from "./split/leakage.ts";
export { planSplit, type Split, type SplitDescription } from "./split/split.ts";
export { type Part, partNames, type SplitSpec } from "./split/split-spec.ts";
export { type Packing, packingOf } from "./unpack.ts";
