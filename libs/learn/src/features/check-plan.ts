import { AimassError } from "@aimass/core";
import type { ColumnType } from "./columns.ts";
import { columnsOf, type FeaturePlan, type FeatureSpec, type ImageFeature, type TextFeature } from "./plan.ts";

const typesFor: Readonly<Record<FeatureSpec["kind"], readonly ColumnType[]>> = {
  number: ["number", "boolean"],
  oneHot: ["string", "number", "boolean"],
  hash: ["string"],
  bucket: ["number", "boolean"],
  cross: [],
  text: ["string"],
  image: ["image"],
  date: ["string"],
};

/** Throws INVALID_ARGUMENT with the place for a plan that cannot be fitted. */
export function checkPlan(plan: FeaturePlan): void {
  if (plan.features.length === 0) throw wrong("features", "The plan has no features.");
  const types = new Map(plan.columns.map((column) => [column.name, column.type]));
  if (types.size !== plan.columns.length) throw wrong("columns", "The plan names a column twice.");
  checkReadings(plan);
  plan.features.forEach((spec, index) => {
    checkSpec(spec, `features[${index}]`, types);
  });
}

/** A date is one input of days or seconds: it can be no text beside it. */
function checkReadings({ columns, features }: FeaturePlan): void {
  for (const { name, reading } of columns) {
    const isDate = reading?.kind === "date" || reading?.kind === "datetime";
    const at = features.findIndex((spec) => columnsOf(spec).includes(name) && (spec.kind === "date") !== isDate);
    if (at < 0) continue;
    const message = isDate
      ? `Column "${name}" is a date and something else at once.`
      : `Column "${name}" is not known to hold dates.`;
    throw wrong(`features[${at}].column`, message);
  }
}

function checkSpec(spec: FeatureSpec, field: string, types: ReadonlyMap<string, ColumnType>): void {
  if (spec.kind === "cross") {
    for (const part of spec.of) checkSpec(part, `${field}.of`, types);
    wholeNumber(spec.maxFeatures ?? 1024, 1, 1_000_000, `${field}.max_features`);
    return;
  }
  checkColumn(spec, field, types);
  if (spec.kind === "hash") wholeNumber(spec.bins ?? 256, 1, 1_000_000, `${field}.bins`);
  if (spec.kind === "bucket") checkBuckets(spec.buckets ?? 10, spec.edges, field);
  if (spec.kind === "oneHot") {
    wholeNumber(spec.maxCategories ?? 200, 1, 1_000_000, `${field}.max_categories`);
    wholeNumber(spec.minCount ?? 2, 1, Number.MAX_SAFE_INTEGER, `${field}.min_count`);
  }
  if (spec.kind === "number" && typeof spec.impute === "object" && !Number.isFinite(spec.impute.constant)) {
    throw wrong(`${field}.impute`, "The constant for missing values must be a finite number.");
  }
  if (spec.kind === "text") checkText(spec, field);
  if (spec.kind === "image") checkImage(spec, field);
  if (spec.kind === "date" && spec.parts?.length === 0) throw wrong(`${field}.parts`, "A date without parts.");
}

function checkColumn(spec: FeatureSpec, field: string, types: ReadonlyMap<string, ColumnType>): void {
  for (const column of columnsOf(spec)) {
    if (column === "") throw wrong(`${field}.column`, "A column without a name cannot be an input of a model.");
    const type = types.get(column);
    if (type === undefined) throw wrong(`${field}.column`, `The plan's columns do not have "${column}".`);
    if (!typesFor[spec.kind].includes(type)) {
      const fit = typesFor[spec.kind].join(" or ");
      throw wrong(`${field}.column`, `Column "${column}" holds ${type} values; ${spec.kind} needs ${fit}.`);
    }
  }
}

function checkBuckets(buckets: number, edges: readonly number[] | undefined, field: string): void {
  wholeNumber(buckets, 2, 10_000, `${field}.buckets`);
  if (edges === undefined) return;
  const ascending = edges.every((edge, i) => Number.isFinite(edge) && (i === 0 || edge > (edges[i - 1] as number)));
  if (edges.length === 0 || !ascending) throw wrong(`${field}.edges`, "The edges must be finite numbers that ascend.");
}

function checkText(spec: TextFeature, field: string): void {
  const [shortest, longest] = spec.ngrams ?? [1, 1];
  wholeNumber(shortest, 1, 8, `${field}.ngrams[0]`);
  wholeNumber(longest, shortest, 8, `${field}.ngrams[1]`);
  wholeNumber(spec.minWordLength ?? 2, 1, 100, `${field}.min_word_length`);
  wholeNumber(spec.minDocuments ?? 1, 1, Number.MAX_SAFE_INTEGER, `${field}.min_documents`);
  wholeNumber(spec.maxTerms ?? 50_000, 1, 10_000_000, `${field}.max_terms`);
  const share = spec.maxDocumentShare ?? 1;
  if (!(share > 0 && share <= 1))
    throw wrong(`${field}.max_document_share`, `It is ${share}; above 0 and up to 1 fit.`);
}

function checkImage(spec: ImageFeature, field: string): void {
  for (const side of spec.size ?? [32, 32]) wholeNumber(side, 1, 1024, `${field}.size`);
  wholeNumber(spec.histogram ?? 0, 0, 256, `${field}.histogram`);
  if (spec.pixels === false && !spec.histogram) throw wrong(field, "An image with neither pixels nor a histogram.");
}

function wholeNumber(value: number, from: number, to: number, field: string): void {
  if (Number.isInteger(value) && value >= from && value <= to) return;
  throw wrong(field, `${field} is ${value}; a whole number from ${from} to ${to} fits.`);
}

function wrong(field: string, message: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field });
}
