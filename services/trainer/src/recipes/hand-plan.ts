import type { BucketFeature, CrossPart, Feature, FeaturePlan as PlanMessage, TextFeature } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { ColumnType } from "@aimass/datasets";
import { type DatePart, dateParts, type FeatureSpec, type NumberFeature } from "@aimass/learn";

/** A column that features by hand may read. */
export interface NamedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

export interface HandPlanContext {
  readonly columns: readonly NamedColumn[];
  /** Whether the recipe takes no negative features. */
  readonly nonNegative: boolean;
}

type Discrete = Extract<FeatureSpec, { kind: "oneHot" | "bucket" }>;

const scales = ["standard", "minMax", "robust", "none"] as const;
const imputes = ["median", "mean", "mostFrequent"] as const;
const root = "spec.feature_plan";

/** A spec's features in the terms of @aimass/learn. Errors: INVALID_ARGUMENT with the field of what does not fit. */
export function readHandPlan({ features }: PlanMessage, context: HandPlanContext): readonly FeatureSpec[] {
  if (features.length === 0)
    throw wrong(root, "The feature plan has no features.", "Name some, or leave the plan out.");
  const specs = features.map((feature, i) => readFeature(feature, `${root}.features[${i}]`, context));
  const numbers = specs.filter(({ kind }) => kind === "number").map((spec) => ("column" in spec ? spec.column : ""));
  const twice = numbers.find((name, i) => numbers.indexOf(name) < i);
  if (twice !== undefined) throw wrong(`${root}.features`, `The column "${twice}" is a number feature twice.`);
  return specs;
}

/** The columns that a plan names. */
export function columnsOfPlan({ features }: PlanMessage): readonly string[] {
  const ofPart = (part: CrossPart | undefined) => part?.kind.value?.column ?? "";
  return features.flatMap(({ kind }) => {
    if (kind.case === undefined) return [];
    return kind.case === "cross" ? [ofPart(kind.value.left), ofPart(kind.value.right)] : [kind.value.column];
  });
}

function readFeature({ kind }: Feature, field: string, context: HandPlanContext): FeatureSpec {
  const at = `${field}.${fieldName(kind.case ?? "")}`;
  switch (kind.case) {
    case "number":
      return readNumber(kind.value, at, context);
    case "oneHot":
    case "bucket":
      return readDiscrete(kind, at, context);
    case "hash": {
      const { column, bins } = kind.value;
      checkColumn(column, at, ["string"], context);
      return { kind: "hash", column, ...given("bins", bins, [1, 1_000_000], at) };
    }
    case "cross": {
      const { left, right, maxFeatures } = kind.value;
      const of = [readPart(left, `${at}.left`, context), readPart(right, `${at}.right`, context)] as const;
      return { kind: "cross", of, ...given("maxFeatures", maxFeatures, [1, 1_000_000], at) };
    }
    case "text":
      return readText(kind.value, at, context);
    case "image":
      return readImage(kind.value, at, context);
    case "date":
      return readDate(kind.value, at, context);
    default:
      throw wrong(
        field,
        "The feature has no kind.",
        "Use one of: number, one_hot, hash, bucket, cross, text, image, date.",
      );
  }
}

function readNumber(
  { column, impute, scale }: { column: string; impute: string; scale: string },
  at: string,
  context: HandPlanContext,
): FeatureSpec {
  checkColumn(column, at, ["number", "boolean"], context);
  const known = scales.find((one) => one === scale);
  if (scale !== "" && known === undefined) {
    throw wrong(`${at}.scale`, `The scale is "${scale}".`, `It must be one of: ${scales.join(", ")}.`);
  }
  if (context.nonNegative && known !== undefined && known !== "minMax") {
    throw wrong(`${at}.scale`, "The recipe takes no negative features.", 'Use the scale "minMax".');
  }
  const imputed = readImpute(impute, at);
  if (context.nonNegative && typeof imputed.impute === "object") {
    const remedy = `Use ${imputes.join(", ")}.`;
    throw wrong(
      `${at}.impute`,
      "The recipe takes no negative features, which a number of one's own may become.",
      remedy,
    );
  }
  const scaled = known ?? (context.nonNegative ? "minMax" : undefined);
  return { kind: "number", column, ...imputed, ...(scaled !== undefined && { scale: scaled }) };
}

function readImpute(impute: string, at: string): Pick<NumberFeature, "impute"> {
  if (impute === "") return {};
  const known = imputes.find((one) => one === impute);
  if (known !== undefined) return { impute: known };
  const constant = Number(impute);
  if (impute.trim() !== "" && Number.isFinite(Math.fround(constant))) return { impute: { constant } };
  throw wrong(`${at}.impute`, `Missing values are to be "${impute}".`, `Use ${imputes.join(", ")}, or a number.`);
}

function readPart(part: CrossPart | undefined, at: string, context: HandPlanContext): Discrete {
  if (part?.kind.case === undefined)
    throw wrong(at, "A cross needs two parts.", "Give a one_hot or a bucket on each side.");
  return readDiscrete(part.kind, `${at}.${fieldName(part.kind.case)}`, context);
}

function readDiscrete(kind: NonNullable<CrossPart["kind"]>, at: string, context: HandPlanContext): Discrete {
  if (kind.case === "bucket") return readBucket(kind.value, at, context);
  const { column = "", maxCategories = 0, minCount = 0 } = kind.value ?? {};
  checkColumn(column, at, ["string", "number", "boolean"], context);
  return {
    kind: "oneHot",
    column,
    ...given("maxCategories", maxCategories, [1, 1_000_000], at),
    ...given("minCount", minCount, [1, Number.MAX_SAFE_INTEGER], at),
  };
}

function readBucket({ column, buckets, edges }: BucketFeature, at: string, context: HandPlanContext): Discrete {
  checkColumn(column, at, ["number", "boolean"], context);
  const ascends = edges.every((edge, i) => Number.isFinite(edge) && (i === 0 || edge > (edges[i - 1] as number)));
  if (!ascends) throw wrong(`${at}.edges`, "The edges must be finite numbers that ascend.");
  return {
    kind: "bucket",
    column,
    ...given("buckets", buckets, [2, 10_000], at),
    ...(edges.length > 0 && { edges: [...edges] }),
  };
}

function readText(text: TextFeature, at: string, context: HandPlanContext): FeatureSpec {
  const { column, analyzer, stripAccents, stopWords, minDocuments, maxTerms } = text;
  checkColumn(column, at, ["string"], context);
  if (analyzer !== "" && analyzer !== "words" && analyzer !== "characters") {
    throw wrong(`${at}.analyzer`, `The analyzer is "${analyzer}".`, "It must be one of: words, characters.");
  }
  const usual = analyzer === "characters" ? 3 : 2;
  const shortest = text.shortest || 1;
  const longest = text.longest || Math.max(shortest, usual);
  const isRange = Number.isInteger(shortest) && shortest >= 1 && longest >= shortest && longest <= 8;
  if (!isRange)
    throw wrong(`${at}.longest`, `Sequences of ${shortest} to ${longest}.`, "Lengths are from 1 to 8, shortest first.");
  return {
    kind: "text",
    column,
    analyzer: analyzer || "words",
    ngrams: [shortest, longest],
    sublinear: true,
    ...(stripAccents && { accents: "strip" as const }),
    ...(stopWords.length > 0 && { stopWords: [...stopWords] }),
    ...given("minDocuments", minDocuments, [1, Number.MAX_SAFE_INTEGER], at),
    ...given("maxTerms", maxTerms, [1, 10_000_000], at),
  };
}

function readImage(
  image: { column: string; height: number; width: number; histogram: number; grey: boolean; withoutPixels: boolean },
  at: string,
  context: HandPlanContext,
): FeatureSpec {
  const { column, height, width, grey, withoutPixels } = image;
  checkColumn(column, at, ["image"], context);
  if ((height === 0) !== (width === 0))
    throw wrong(`${at}.width`, "Only one of height and width is given.", "Give both, or none.");
  given("height", height, [1, 1024], at);
  given("width", width, [1, 1024], at);
  const { histogram } = given("histogram", image.histogram, [1, 256], at);
  if (withoutPixels && histogram === undefined) {
    throw wrong(`${at}.histogram`, "A picture without pixels needs a histogram.", "Give its bins, for instance 16.");
  }
  return {
    kind: "image",
    column,
    ...(height > 0 && { size: [height, width] as const }),
    ...(grey && { channels: "grey" as const }),
    ...(withoutPixels && { pixels: false }),
    ...(histogram !== undefined && { histogram }),
  };
}

function readDate(
  { column, parts }: { column: string; parts: string[] },
  at: string,
  context: HandPlanContext,
): FeatureSpec {
  checkColumn(column, at, ["string"], context);
  const unknown = parts.find((part) => !dateParts.some((one) => one === part));
  if (unknown !== undefined) {
    throw wrong(`${at}.parts`, `A date has no part "${unknown}".`, `Use some of: ${dateParts.join(", ")}.`);
  }
  if (context.nonNegative && parts.includes("season")) {
    throw wrong(
      `${at}.parts`,
      "The recipe takes no negative features.",
      'Leave "season" out; "months" is what it takes.',
    );
  }
  return { kind: "date", column, ...(parts.length > 0 && { parts: parts as DatePart[] }) };
}

/** An option, when it is not 0. */
function given<N extends string>(
  name: N,
  value: number,
  [from, to]: readonly [number, number],
  at: string,
): { [K in N]?: number } {
  if (value === 0) return {};
  if (Number.isInteger(value) && value >= from && value <= to) return { [name]: value } as { [K in N]?: number };
  throw wrong(
    `${at}.${fieldName(name)}`,
    `${fieldName(name)} is ${value}.`,
    `It must be from ${from} to ${to}, or 0 for the default.`,
  );
}

function checkColumn(name: string, at: string, types: readonly ColumnType[], { columns }: HandPlanContext): void {
  const column = columns.find((c) => c.name === name);
  if (column === undefined) {
    const names = columns.slice(0, 50).map((c) => c.name);
    throw wrong(`${at}.column`, `There is no feature column "${name}".`, `There are: ${names.join(", ")}.`);
  }
  if (types.includes(column.type)) return;
  const message = `The column "${name}" holds ${column.type} values; this feature takes ${types.join(" or ")}.`;
  throw wrong(`${at}.column`, message);
}

/** As the proto names it. */
function fieldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function wrong(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, ...(remedy !== undefined && { remedy }) });
}
