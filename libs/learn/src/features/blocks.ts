import { AimassError } from "@aimass/core";
import type { Block, BlockFit, BlockJson } from "./block.ts";
import { BucketIds } from "./categories/bucket-ids.ts";
import { CategoryIds } from "./categories/category-ids.ts";
import { CrossIds } from "./categories/cross-ids.ts";
import type { Discrete, DiscreteFit } from "./categories/discrete.ts";
import { HashIds } from "./categories/hash-ids.ts";
import { OneHotBlock } from "./categories/one-hot-block.ts";
import type { ColumnType } from "./columns.ts";
import { DateBlock } from "./dates/date-block.ts";
import { ImageBlock } from "./images/image-block.ts";
import type { ColumnNumbers } from "./numbers/column-numbers.ts";
import { NumberBlock } from "./numbers/number-block.ts";
import type {
  BucketFeature,
  CrossFeature,
  DateFeature,
  FeaturePlan,
  FeatureSpec,
  HashFeature,
  NumberFeature,
  OneHotFeature,
} from "./plan.ts";
import { TextBlock } from "./text/text-block.ts";

/** The fits of a plan's features: all numbers in one block, first; the others in the plan's order. */
export function blockFits(plan: FeaturePlan, statistics: ColumnNumbers): BlockFit[] {
  const types = new Map(plan.columns.map((column) => [column.name, column.type]));
  const readings = new Map(plan.columns.map(({ name, reading }) => [name, reading]));
  const numbers = plan.features.filter((spec): spec is NumberFeature => spec.kind === "number");
  const others = plan.features.filter((spec) => spec.kind !== "number");
  const fits = others.map((spec) => {
    if (spec.kind !== "date") return fitOf(spec, types, statistics);
    return DateBlock.fit(spec, readings.get(spec.column)?.kind === "datetime" ? "datetime" : "date");
  });
  return numbers.length > 0 ? [NumberBlock.fit(numbers, statistics), ...fits] : fits;
}

function fitOf(
  spec: Exclude<FeatureSpec, NumberFeature | DateFeature>,
  types: ReadonlyMap<string, ColumnType>,
  statistics: ColumnNumbers,
): BlockFit {
  if (spec.kind === "text") return TextBlock.fit(spec);
  if (spec.kind === "image") return ImageBlock.fit(spec);
  return OneHotBlock.fit(discreteFit(spec, types, statistics));
}

function discreteFit(
  spec: OneHotFeature | BucketFeature | HashFeature | CrossFeature,
  types: ReadonlyMap<string, ColumnType>,
  statistics: ColumnNumbers,
): DiscreteFit {
  if (spec.kind === "hash") return HashIds.fit(spec);
  if (spec.kind === "bucket") return BucketIds.fit(spec, statistics.of(spec.column));
  if (spec.kind === "oneHot") return CategoryIds.fit(spec, types.get(spec.column) as ColumnType);
  const [first, second] = spec.of;
  return CrossIds.fit(discreteFit(first, types, statistics), discreteFit(second, types, statistics), spec.maxFeatures);
}

/** The block that `toJson` described. */
export function blockFromJson(json: BlockJson): Block {
  if (json.block === "numbers") return new NumberBlock(json.scalings as ConstructorParameters<typeof NumberBlock>[0]);
  if (json.block === "oneHot") return new OneHotBlock(discreteFromJson(json.of as BlockJson));
  if (json.block === "text") return new TextBlock(json.state as ConstructorParameters<typeof TextBlock>[0]);
  if (json.block === "date") return new DateBlock(json.state as ConstructorParameters<typeof DateBlock>[0]);
  if (json.block === "image") return new ImageBlock(json.state as ConstructorParameters<typeof ImageBlock>[0]);
  throw unknown(json);
}

function discreteFromJson(json: BlockJson): Discrete {
  if (json.block === "categories") return new CategoryIds(json.state as ConstructorParameters<typeof CategoryIds>[0]);
  if (json.block === "buckets") return new BucketIds(json.state as ConstructorParameters<typeof BucketIds>[0]);
  if (json.block === "hash") return new HashIds(json.state as ConstructorParameters<typeof HashIds>[0]);
  if (json.block !== "cross") throw unknown(json);
  const { first, second, limit } = json as BlockJson & { first: BlockJson; second: BlockJson; limit: number };
  return new CrossIds(discreteFromJson(first), discreteFromJson(second), limit);
}

function unknown(json: BlockJson): AimassError {
  return new AimassError("INVALID_ARGUMENT", `Fitted features of the kind "${json.block}" are not known.`, {
    remedy: "They were written by a newer version; use that one.",
  });
}
