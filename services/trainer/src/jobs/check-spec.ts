import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { defaultProject, isModelName, isProjectName } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { gatesOf, readGate } from "../evaluation/gates.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import { checkParameters } from "../recipes/recipe-parameters.ts";
import { checkSearch, isSearch } from "../search/check-search.ts";

const defaultTestShare = 0.2;
const aliasName = /^[a-z][a-z0-9_-]{0,63}$/i;

/** Checks what can be checked without the dataset and fills in defaults. Errors: INVALID_ARGUMENT with its field, NOT_FOUND (recipe). */
export function checkSpec(spec: JobSpec | undefined): JobSpec {
  if (spec === undefined) throw invalid("spec", "The request has no spec.", "Say what to train on what.");
  const project = spec.project || defaultProject;
  const testShare = spec.testShare || defaultTestShare;
  if (!isProjectName(project)) throw invalid("spec.project", `"${project}" cannot be the name of a project.`);
  if (!isModelName(spec.dataset)) throw invalid("spec.dataset", `"${spec.dataset}" cannot be the name of a dataset.`);
  if (!isModelName(spec.model)) throw invalid("spec.model", `"${spec.model}" cannot be the name of a model.`);
  if (spec.target === "") throw invalid("spec.target", "The target is missing.", "Name the column to predict.");
  if (spec.datasetVersion < 0n)
    throw invalid("spec.dataset_version", "A dataset version is 1 or more; 0 is the newest.");
  checkWay(spec);
  within("spec.test_share", testShare, 0.05, 0.5);
  checkSplit(spec, testShare);
  checkData(spec);
  for (const [gate, field] of gatesOf(spec)) readGate(gate, field);
  if (spec.folds !== 0) whole("spec.folds", spec.folds, 2, 20);
  whole("spec.priority", spec.priority, -100, 100);
  whole("spec.importance_repeats", spec.importanceRepeats, -1, 20);
  within("spec.time_limit_seconds", spec.timeLimitSeconds, 0, 10 * 365 * 86_400);
  if (spec.alias !== "" && !aliasName.test(spec.alias)) {
    throw invalid("spec.alias", `"${spec.alias}" cannot be the name of an alias.`, "Begin with a letter.");
  }
  return create(JobSpecSchema, { ...spec, project, testShare });
}

function checkWay(spec: JobSpec): void {
  const { script, recipe: name, search, task } = spec;
  if (script !== undefined) {
    checkTask(["regression", "classification"], "A script", task);
    if (name !== "" || search !== undefined) {
      throw invalid("spec.recipe", "A script trains instead of a recipe or a search.", "Leave recipe and search out.");
    }
    if (spec.folds === 0 && !spec.data?.unknownCategories) return;
    const [field, what] = spec.folds === 0 ? ["data.unknown_categories", "features"] : ["folds", "training"];
    throw invalid(`spec.${field}`, `A script does its own ${what}.`, `Leave ${spoken(`spec.${field}`)} out.`);
  }
  const recipe = getRecipe(name);
  checkTask(recipe.tasks, `The recipe "${name}"`, task);
  if (isSearch(spec)) checkSearch(spec, recipe);
  checkParameters(recipe, spec);
}

function checkTask(tasks: readonly string[], who: string, task: string): void {
  if (task === "" || tasks.includes(task)) return;
  throw invalid("spec.task", `${who} cannot do "${task}".`, `It does: ${tasks.join(", ")}.`);
}

function checkSplit({ split }: JobSpec, testShare: number): void {
  if (split === undefined) return;
  within("spec.split.validation_share", split.validationShare, 0, 0.5);
  if (testShare + split.validationShare > 0.9) {
    const message = `Held out (--test-share) and for validation (--validation) are ${testShare + split.validationShare} of the rows.`;
    throw invalid("spec.split.validation_share", message, "Leave at least a tenth for training.");
  }
  if (split.timeBy !== "" && (split.stratifyBy !== "" || split.groupBy !== "")) {
    const message = "A split by time cannot also be stratified or grouped.";
    throw invalid("spec.split.time_by", message, "Leave out stratify_by and group_by, or time_by.");
  }
  if (split.plain && split.stratifyBy !== "") {
    throw invalid("spec.split.plain", "A plain split has no stratify_by.", "Leave one of them out.");
  }
}

function checkData({ data }: JobSpec): void {
  if (data === undefined) return;
  word("spec.data.missing", data.missing, ["impute", "drop", "refuse"]);
  word("spec.data.missing_target", data.missingTarget, ["refuse", "drop"]);
  word("spec.data.duplicates", data.duplicates, ["keep", "drop", "refuse"]);
  word("spec.data.unknown_categories", data.unknownCategories, ["other", "none", "frequent"]);
}

/** Fields that the command line has flags for, which is what most people gave. */
const flags: Readonly<Record<string, string>> = {
  "spec.test_share": "--test-share",
  "spec.split.validation_share": "--validation",
  "spec.folds": "--cv",
  "spec.priority": "--priority",
  "spec.time_limit_seconds": "--time-limit",
  "spec.data.missing": "--missing",
  "spec.data.missing_target": "--missing-target",
  "spec.data.duplicates": "--duplicates",
  "spec.data.unknown_categories": "--unknown-categories",
};

/** A field as a file has it, and its flag. */
function spoken(field: string): string {
  const flag = flags[field];
  return `${field.slice("spec.".length)}${flag === undefined ? "" : ` (${flag})`}`;
}

function word(field: string, value: string, words: readonly string[]): void {
  if (value === "" || words.includes(value)) return;
  throw invalid(field, `${spoken(field)} is "${value}".`, `It must be one of: ${words.join(", ")}.`);
}

function whole(field: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value)) within(field, value, from, to);
}

function within(field: string, value: number, from: number, to: number): void {
  if (value >= from && value <= to) return;
  throw invalid(field, `${spoken(field)} is ${value}.`, `It must be from ${from} to ${to}.`);
}

function invalid(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, ...(remedy !== undefined && { remedy }) });
}
