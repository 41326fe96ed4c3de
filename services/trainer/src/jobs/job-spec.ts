import { type Column, ColumnType, type DatasetVersion } from "@aimass/api/registry";
import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError, didYouMean } from "@aimass/core";
import type { Task } from "@aimass/learn";
import { create } from "@bufbuild/protobuf";
import { readAs } from "../data/dataset-file.ts";
import { assertClasses } from "../data/target-remarks.ts";
import { gatesOf, readGate } from "../evaluation/gates.ts";
import { autoRecipe } from "../recipes/auto-recipe.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import { columnsOfPlan, readHandPlan } from "../recipes/hand-plan.ts";
import type { Recipe } from "../recipes/recipe.ts";
import { resolveParameters } from "../recipes/recipe-parameters.ts";
import { fitSearch, isSearch } from "../search/check-search.ts";

const mostFeatures = 2000;

/** The one name that no model's input can have, which the registry says once a model is pushed. */
const unservable = "__proto__";

export { checkSpec } from "./check-spec.ts";

/**
 * Fits a checked spec to its dataset: version, task, features by name, every parameter. Errors: FAILED_PRECONDITION when columns are missing or cannot be used,
 * or when there are too few rows; INVALID_ARGUMENT for parameters and gates that the task does not have.
 */
export function fitSpec(spec: JobSpec, dataset: DatasetVersion): JobSpec {
  const recipe = recipeOf(spec);
  const target = findColumn(dataset, spec.target, "spec.target");
  const task = chooseTask(recipe, spec, target);
  const isUsual = spec.features.length === 0;
  const features = isUsual ? usualFeatures(spec, dataset, recipe) : spec.features;
  assertTarget(dataset, target, { task, drops: spec.data?.missingTarget === "drop" });
  checkFeatures(spec, features, recipe.numbersOnly ? "number column" : "column");
  for (const [i, name] of features.entries()) {
    findColumn(dataset, name, `spec.features[${i}]`);
  }
  checkSplitColumns(spec, dataset);
  checkPlan(spec, features, dataset, recipe);
  for (const [gate, field] of gatesOf(spec)) readGate(gate, field, task);
  const resolved = fitParameters(recipe, task, spec);
  return create(JobSpecSchema, {
    ...spec,
    datasetVersion: dataset.version,
    task,
    features,
    usualFeatures: isUsual || spec.usualFeatures,
    ...resolved,
  });
}

/** A script does what `auto` does: anything, by no parameters of the trainer's. */
function recipeOf({ recipe, script }: JobSpec): Recipe {
  return script === undefined ? getRecipe(recipe) : autoRecipe;
}

function fitParameters(recipe: Recipe, task: Task, spec: JobSpec): Partial<Pick<JobSpec, "parameters" | "choices">> {
  if (spec.script !== undefined) return {};
  return isSearch(spec) ? fitSearch(spec, recipe, task) : resolveParameters(recipe, task, spec);
}

function chooseTask(recipe: Recipe, { task }: JobSpec, target: Column): Task {
  const { tasks: known } = recipe;
  const byColumn: Task = isNumber(target) ? "regression" : "classification";
  return known.find((one) => one === task) ?? (known.length > 1 ? byColumn : (known[0] as Task));
}

function checkFeatures(spec: JobSpec, features: readonly string[], what: string): void {
  if (features.includes(spec.target)) {
    throw invalid("spec.features", `The target "${spec.target}" is among the features.`, "Leave it out of them.");
  }
  if (new Set(features).size < features.length) throw invalid("spec.features", "A feature is named twice.");
  if (spec.script === undefined && features.includes(unservable)) {
    const message = `The column "${unservable}" cannot be a feature: ONNX Runtime's JavaScript binding takes the inputs of a model by name, and this one sets an object's prototype.`;
    const remedy = `Leave it out of the features (--feature), or push the file with another name: aimass datasets push --rename ${unservable}=proto.`;
    throw unfit("spec.features", message, remedy);
  }
  if (features.length === 0) {
    const remedy = "Ids and the columns that decide on the split are features only where they are named (--feature).";
    const wider = what === "column" ? "" : " Categories and texts are features of --recipe ridge.";
    throw unfit("spec.features", `The dataset has no ${what} beside the target.`, `${remedy}${wider}`);
  }
  if (features.length > mostFeatures) {
    const message = `There are ${features.length} features; at most ${mostFeatures} can be used.`;
    const remedy =
      "Name those that matter (--feature), or push the file with fewer columns: aimass datasets push --columns or --without.";
    throw unfit("spec.features", message, remedy);
  }
}

/**
 * Every other column, of some recipes every other number column; those of a feature plan that is all, alone. Columns that name rows and those that decide on the
 * split are none, because what is learnt from them holds for no other row; a script gets them and decides itself. The time of a split by time is one where
 * nothing else is.
 */
function usualFeatures(spec: JobSpec, dataset: DatasetVersion, recipe: Recipe): string[] {
  const { target, featurePlan, split, script } = spec;
  const named = featurePlan === undefined ? [] : columnsOfPlan(featurePlan);
  const others = dataset.columns.filter((c) => c.name !== target);
  const all = others.map(({ name }) => name);
  if (featurePlan?.only === true) return all.filter((name) => named.includes(name));
  if (script !== undefined) return all;
  const fitting = others.filter((c) => !recipe.numbersOnly || isNumber(c) || named.includes(c.name));
  const deciding = [split?.groupBy, split?.timeBy, split?.stratifyBy];
  const usual = fitting.filter(
    ({ name, looks }) => named.includes(name) || (!deciding.includes(name) && looks !== "id"),
  );
  const left = usual.length > 0 ? usual : fitting.filter(({ name }) => name === split?.timeBy);
  return left.map(({ name }) => name);
}

function checkPlan(
  { featurePlan, script }: JobSpec,
  features: readonly string[],
  dataset: DatasetVersion,
  { nonNegative }: Recipe,
): void {
  if (featurePlan === undefined) return;
  if (script !== undefined)
    throw invalid("spec.feature_plan", "A script makes its own features.", "Leave the plan out.");
  const { columns } = readAs(dataset).schema;
  readHandPlan(featurePlan, { columns: columns.filter(({ name }) => features.includes(name)), nonNegative });
}

function checkSplitColumns({ split }: JobSpec, dataset: DatasetVersion): void {
  const parts = (split?.validationShare ?? 0) > 0 ? 3 : 2;
  if (dataset.rows < BigInt(parts)) {
    const message = `${nameOf(dataset)} has ${dataset.rows} rows; each of ${parts} parts needs at least one.`;
    throw unfit("spec.dataset", message, "Use a larger dataset.");
  }
  for (const [name, field] of [
    [split?.stratifyBy, "spec.split.stratify_by"],
    [split?.groupBy, "spec.split.group_by"],
    [split?.timeBy, "spec.split.time_by"],
  ] as const) {
    if (!name) continue;
    const { type } = findColumn(dataset, name, field);
    if (type === ColumnType.IMAGE) throw unfit(field, "A column of images cannot decide on a split.");
  }
}

const wordsAreClasses =
  "Where a class is called NA, None or null, push the file with --only-missing '' (in the API: read.only_missing), so that the word means itself.";

/** A target has a value in every row, and is a number unless classes are told apart. */
function assertTarget(dataset: DatasetVersion, column: Column, { task, drops }: { task: Task; drops: boolean }): void {
  const { name, missing, type, distinct } = column;
  if (type === ColumnType.IMAGE) throw unfit("spec.target", `The column "${name}" holds pictures; name one of labels.`);
  if (task === "regression" && !isNumber(column)) {
    const message = `The column "${name}" of ${nameOf(dataset)} holds text, not numbers.`;
    throw unfit(
      "spec.target",
      message,
      "Name a column of numbers, or a recipe that tells classes apart (--recipe logistic-regression).",
    );
  }
  if (task === "classification")
    assertClasses({ name, distinct: Number(distinct), count: Number(dataset.rows - missing) });
  if (missing === 0n || drops) return;
  const remedy = "Fill the cells, or leave such rows out: --missing-target drop, in a file data.missing_target.";
  const isText = type === ColumnType.STRING;
  const words = isText ? ", or cells of a word such as NA that means no value" : "";
  const message = `The column "${name}" of ${nameOf(dataset)} has ${missing} empty cells${words}.`;
  throw unfit("spec.target", message, isText ? `${remedy} ${wordsAreClasses}` : remedy);
}

function isNumber({ type }: Column): boolean {
  return type === ColumnType.NUMBER;
}

function findColumn(dataset: DatasetVersion, name: string, field: string): Column {
  const column = dataset.columns.find((c) => c.name === name);
  if (column !== undefined) return column;
  const names = dataset.columns.map((c) => c.name);
  const remedy = `${didYouMean(name, names)}It has: ${names.slice(0, 50).join(", ")}.`;
  throw unfit(field, `${nameOf(dataset)} has no column "${name}".`, remedy);
}

function nameOf({ project, dataset, version }: DatasetVersion): string {
  return `${project}.${dataset} version ${version}`;
}

function invalid(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, ...(remedy !== undefined && { remedy }) });
}

function unfit(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, { field, ...(remedy !== undefined && { remedy }) });
}
