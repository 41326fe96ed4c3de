import { type Column, ColumnType, type DatasetVersion } from "@aimass/api/registry";
import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { defaultProject, isModelName, isProjectName } from "@aimass/identity";
import type { Task } from "@aimass/learn";
import { create } from "@bufbuild/protobuf";
import { getRecipe } from "../recipes/catalogue.ts";
import { outputNames } from "../recipes/estimators/served-graph.ts";
import type { Recipe } from "../recipes/recipe.ts";
import { checkParameters, resolveParameters } from "../recipes/recipe-parameters.ts";
import { readGate } from "../table/gate.ts";
import { planSplit } from "../table/split.ts";

const defaultTestShare = 0.2;
const mostFeatures = 2000;

/** Checks what can be checked without the dataset and fills in defaults. Errors: INVALID_ARGUMENT with its field, NOT_FOUND (recipe). */
export function checkSpec(spec: JobSpec | undefined): JobSpec {
  if (spec === undefined) throw invalid("spec", "The request has no spec.", "Say what to train on what.");
  const project = spec.project || defaultProject;
  const testShare = spec.testShare || defaultTestShare;
  const recipe = getRecipe(spec.recipe);
  if (!isProjectName(project)) throw invalid("spec.project", `"${project}" cannot be the name of a project.`);
  if (!isModelName(spec.dataset)) throw invalid("spec.dataset", `"${spec.dataset}" cannot be the name of a dataset.`);
  if (!isModelName(spec.model)) throw invalid("spec.model", `"${spec.model}" cannot be the name of a model.`);
  if (spec.target === "") throw invalid("spec.target", "The target is missing.", "Name the column to predict.");
  if (spec.datasetVersion < 0n)
    throw invalid("spec.dataset_version", "A dataset version is 1 or more; 0 is the newest.");
  if (!(testShare >= 0.05 && testShare <= 0.5)) {
    throw invalid("spec.test_share", `test_share is ${testShare}.`, "It must be from 0.05 to 0.5.");
  }
  if (spec.gate !== undefined) readGate(spec.gate.metric, spec.gate.bound);
  checkTask(recipe, spec.task);
  checkParameters(recipe, spec);
  return create(JobSpecSchema, { ...spec, project, testShare });
}

function checkTask(recipe: Recipe, task: string): void {
  if (task === "" || recipe.tasks.some((known) => known === task)) return;
  const remedy = `It does: ${recipe.tasks.join(", ")}.`;
  throw invalid("spec.task", `The recipe "${recipe.name}" cannot do "${task}".`, remedy);
}

/**
 * Fits a checked spec to its dataset: version, task, features by name, every parameter. Errors: FAILED_PRECONDITION when target or features are missing or
 * cannot be used by the recipe, or when there are too few rows; INVALID_ARGUMENT for parameters and gates that the task does not have.
 */
export function fitSpec(spec: JobSpec, dataset: DatasetVersion): JobSpec {
  const recipe = getRecipe(spec.recipe);
  const isStreamed = recipe.kind === "streamed";
  const task = chooseTask(recipe, spec, dataset);
  const others = dataset.columns
    .filter((c) => c.name !== spec.target && (!isStreamed || isNumber(c)))
    .map((c) => c.name);
  const features = spec.features.length === 0 ? others : spec.features;
  assertTarget(dataset, spec.target, isStreamed ? undefined : task);
  for (const [i, name] of features.entries()) {
    if (isStreamed) assertNumberColumn(dataset, name, `spec.features[${i}]`);
    else assertServable(dataset, name, { field: `spec.features[${i}]`, task });
  }
  checkFeatures(spec, features, isStreamed ? "number column" : "column");
  planSplit(Number(dataset.rows), spec.testShare, spec.seed);
  if (spec.gate !== undefined) readGate(spec.gate.metric, spec.gate.bound, task);
  const resolved = resolveParameters(recipe, task, spec);
  return create(JobSpecSchema, { ...spec, datasetVersion: dataset.version, task, features, ...resolved });
}

function chooseTask(recipe: Recipe, { task, target }: JobSpec, dataset: DatasetVersion): Task {
  const column = dataset.columns.find((c) => c.name === target);
  const byColumn = column !== undefined && isNumber(column) ? "regression" : "classification";
  return (
    recipe.tasks.find((known) => known === task) ?? (recipe.tasks.length > 1 ? byColumn : (recipe.tasks[0] as Task))
  );
}

function checkFeatures(spec: JobSpec, features: readonly string[], what: string): void {
  if (features.includes(spec.target)) {
    throw invalid("spec.features", `The target "${spec.target}" is among the features.`, "Leave it out of them.");
  }
  if (new Set(features).size < features.length) throw invalid("spec.features", "A feature is named twice.");
  if (features.length === 0) throw unfit("spec.features", `The dataset has no ${what} beside the target.`);
  if (features.length > mostFeatures) {
    throw unfit("spec.features", `There are ${features.length} features; at most ${mostFeatures} can be used.`);
  }
}

/** A target has a value in every row, and is a number unless classes are told apart. */
function assertTarget(dataset: DatasetVersion, name: string, task: Task | undefined): void {
  if (task !== "classification") assertNumberColumn(dataset, name, "spec.target");
  const { missing } = findColumn(dataset, name, "spec.target");
  if (missing > 0n) throw holes(dataset, { name, missing, field: "spec.target" });
}

/** A feature becomes an input of the model, whose outputs have names already. */
function assertServable(dataset: DatasetVersion, name: string, { field, task }: { field: string; task: Task }): void {
  findColumn(dataset, name, field);
  const taken: readonly string[] = outputNames[task];
  if (!taken.includes(name)) return;
  const message = `The column "${name}" cannot be a feature: an output of the model has that name.`;
  throw unfit(field, message, `Rename the column (outputs: ${taken.join(", ")}), or name the features without it.`);
}

function isNumber({ type }: Column): boolean {
  return type === ColumnType.NUMBER;
}

function assertNumberColumn(dataset: DatasetVersion, name: string, field: string): void {
  const column = findColumn(dataset, name, field);
  const { missing } = column;
  if (!isNumber(column)) {
    const message = `The column "${name}" of ${nameOf(dataset)} holds text, not numbers.`;
    throw unfit(field, message, "Use number columns, or a recipe that takes text.");
  }
  if (missing > 0n) throw holes(dataset, { name, missing, field });
}

function findColumn(dataset: DatasetVersion, name: string, field: string): Column {
  const column = dataset.columns.find((c) => c.name === name);
  if (column !== undefined) return column;
  const names = dataset.columns.slice(0, 50).map((c) => c.name);
  throw unfit(field, `${nameOf(dataset)} has no column "${name}".`, `It has: ${names.join(", ")}.`);
}

function holes(dataset: DatasetVersion, o: { name: string; missing: bigint; field: string }): AimassError {
  const message = `The column "${o.name}" of ${nameOf(dataset)} has ${o.missing} empty cells.`;
  return unfit(o.field, message, "Fill the cells, or name the features without that column.");
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
