import { ColumnType, type DatasetVersion } from "@aimass/api/registry";
import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { defaultProject, isModelName, isProjectName } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { getRecipe, resolveParameters } from "../recipes/catalogue.ts";
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
  const parameters = resolveParameters(recipe, spec.parameters);
  return create(JobSpecSchema, { ...spec, project, testShare, parameters });
}

/**
 * Fits a checked spec to its dataset: version, and features by name. Errors: FAILED_PRECONDITION when target or features are missing, no numbers, or have
 * empty cells, or when there are too few rows.
 */
export function fitSpec(spec: JobSpec, dataset: DatasetVersion): JobSpec {
  const numbers = dataset.columns.filter((c) => c.type === ColumnType.NUMBER).map((c) => c.name);
  const others = numbers.filter((name) => name !== spec.target);
  const features = spec.features.length === 0 ? others : spec.features;
  assertNumberColumn(dataset, spec.target, "spec.target");
  for (const [i, name] of features.entries()) assertNumberColumn(dataset, name, `spec.features[${i}]`);
  if (features.includes(spec.target)) {
    throw invalid("spec.features", `The target "${spec.target}" is among the features.`, "Leave it out of them.");
  }
  if (new Set(features).size < features.length) throw invalid("spec.features", "A feature is named twice.");
  if (features.length === 0) throw unfit("spec.features", "The dataset has no number column beside the target.");
  if (features.length > mostFeatures) {
    throw unfit("spec.features", `There are ${features.length} features; at most ${mostFeatures} can be used.`);
  }
  planSplit(Number(dataset.rows), spec.testShare, spec.seed);
  return create(JobSpecSchema, { ...spec, datasetVersion: dataset.version, features });
}

function assertNumberColumn(dataset: DatasetVersion, name: string, field: string): void {
  const where = `${dataset.project}.${dataset.dataset} version ${dataset.version}`;
  const column = dataset.columns.find((c) => c.name === name);
  if (column === undefined) {
    const names = dataset.columns.slice(0, 50).map((c) => c.name);
    throw unfit(field, `${where} has no column "${name}".`, `It has: ${names.join(", ")}.`);
  }
  if (column.type !== ColumnType.NUMBER) {
    throw unfit(field, `The column "${name}" of ${where} holds text, not numbers.`, "Use number columns.");
  }
  if (column.missing > 0n) {
    const remedy = "Fill the cells, or name the features without that column.";
    throw unfit(field, `The column "${name}" of ${where} has ${column.missing} empty cells.`, remedy);
  }
}

function invalid(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, ...(remedy !== undefined && { remedy }) });
}

function unfit(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, { field, ...(remedy !== undefined && { remedy }) });
}
