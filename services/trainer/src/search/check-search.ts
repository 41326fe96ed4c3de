import { type JobSpec, type Search, type SearchRange, SearchSchema } from "@aimass/api/trainer";
import { AimassError, didYouMean } from "@aimass/core";
import type { ParameterSpec, Task } from "@aimass/learn";
import { create } from "@bufbuild/protobuf";
import { autoRecipe } from "../recipes/auto-recipe.ts";
import { recipes } from "../recipes/catalogue.ts";
import type { EstimatorRecipe, RecipeParameter } from "../recipes/recipe.ts";
import { type GivenParameters, isChoice, resolveParameters } from "../recipes/recipe-parameters.ts";
import { readSearchMetric } from "./search-metric.ts";

const methods: readonly string[] = ["random", "halving"];
const defaultTrials = 20;
const mostTrials = 1000;
const defaultAutoSeconds = 60;
const mostSeconds = 7 * 24 * 3600;
const mostParallel = 256;

/** Whether a job looks for parameters or a recipe before it trains. */
export function isSearch({ recipe, search }: Pick<JobSpec, "recipe" | "search">): boolean {
  return search !== undefined || recipe === autoRecipe.name;
}

/** Checks what can be checked of a search without the dataset. Errors: INVALID_ARGUMENT with its field. */
export function checkSearch(spec: JobSpec, recipe: EstimatorRecipe): void {
  const { search } = spec;
  const isAuto = recipe === autoRecipe;
  if (isAuto) checkAuto(spec);
  if (search === undefined) return;
  const { method, trials, budgetSeconds, parallel } = search;
  if (method !== "" && !methods.includes(method)) {
    throw invalid("method", `There is no search method "${method}" (--search).`, `Use one of: ${methods.join(", ")}.`);
  }
  checkBounds("trials", trials, { to: mostTrials, meaning: "0 is the default" });
  checkBounds("parallel", parallel, { to: mostParallel, meaning: "0 is as many as the worker may use CPUs" });
  if (!(budgetSeconds >= 0 && budgetSeconds <= mostSeconds)) {
    const remedy = `It must be from 0 (the default) to ${mostSeconds}.`;
    throw invalid("budget_seconds", `The budget (--budget) is ${budgetSeconds} s.`, remedy);
  }
  if (search.metric !== "") readSearchMetric(search.metric);
  if (!isAuto && search.recipes.length > 0) {
    const remedy = `Use the recipe "auto", or leave search.recipes empty.`;
    throw invalid(
      "recipes",
      `The recipe "${recipe.name}" stands already; a search chooses among recipes only with "auto".`,
      remedy,
    );
  }
  for (const [i, name] of search.recipes.entries()) checkName(name, `recipes[${i}]`);
  for (const [name, range] of Object.entries(search.ranges)) checkRange(recipe, name, range);
}

/**
 * Fits a checked search to the task: its defaults filled in, and the parameters that were given, checked, without defaults: those without a value are what
 * is looked for. Errors: INVALID_ARGUMENT for a metric, a recipe or a parameter that the task does not have.
 */
export function fitSearch(spec: JobSpec, recipe: EstimatorRecipe, task: Task): GivenParameters & { search: Search } {
  const { parameters, choices } = spec;
  const isAuto = recipe === autoRecipe;
  const search = spec.search ?? create(SearchSchema);
  resolveParameters(recipe, task, spec);
  for (const name of Object.keys(search.ranges)) assertOfTask(recipe, name, task);
  const useless = search.recipes.findIndex((name) => !recipeOf(name)?.tasks.includes(task));
  if (useless >= 0) {
    const known = named(recipes.filter((r) => r !== autoRecipe && r.tasks.includes(task)));
    throw invalid(
      `recipes[${useless}]`,
      `The recipe "${search.recipes[useless]}" does no ${task}.`,
      `Use one of: ${known}.`,
    );
  }
  const filled = create(SearchSchema, {
    ...search,
    method: search.method || "random",
    trials: search.trials || (isAuto && search.method !== "halving" ? 0 : defaultTrials),
    budgetSeconds: search.budgetSeconds || (isAuto ? defaultAutoSeconds : 0),
    metric: readSearchMetric(search.metric, task).name,
  });
  return { search: filled, parameters, choices };
}

function checkAuto({ parameters, choices, search }: JobSpec): void {
  const [name] = [...Object.keys(parameters), ...Object.keys(choices)];
  if (name !== undefined) {
    const field = name in parameters ? "parameters" : "choices";
    const message = `With "auto" there is no parameter "${name}": every recipe has its own.`;
    const remedy = "Leave it out, or name the recipe and search for its parameters.";
    throw new AimassError("INVALID_ARGUMENT", message, { field: `spec.${field}["${name}"]`, remedy });
  }
  const [range] = Object.keys(search?.ranges ?? {});
  if (range === undefined) return;
  const remedy = "Leave it out, or name the recipe.";
  throw invalid(`ranges["${range}"]`, `With "auto" every recipe says where to look for its parameters.`, remedy);
}

function checkBounds(name: string, value: number, { to, meaning }: { to: number; meaning: string }): void {
  if (value >= 0 && value <= to) return;
  throw invalid(name, `${name} (--${name}) is ${value}.`, `It must be from 0 to ${to}; ${meaning}.`);
}

function checkName(name: string, field: string): void {
  const known = recipes.filter((recipe) => recipe !== autoRecipe);
  if (known.some((recipe) => recipe.name === name)) return;
  const meant = didYouMean(
    name,
    known.map((recipe) => recipe.name),
  );
  throw invalid(field, `There is no recipe "${name}" to try.`, `${meant}Use some of: ${named(known)}.`);
}

function checkRange(recipe: EstimatorRecipe, name: string, range: SearchRange): void {
  const field = `ranges["${name}"]`;
  const parameter = recipe.parameters.find((p) => p.name === name);
  if (parameter === undefined) {
    const remedy = `It has: ${named(recipe.parameters)}.`;
    throw invalid(field, `The recipe "${recipe.name}" has no parameter "${name}".`, remedy);
  }
  if (isChoice(parameter)) checkWords(parameter, range, field);
  else checkNumbers(parameter, range, field);
}

function checkWords(
  { name, choices }: Extract<RecipeParameter, { choices: unknown }>,
  range: SearchRange,
  field: string,
): void {
  if (range.from !== 0 || range.to !== 0) {
    throw invalid(field, `The parameter "${name}" is a word.`, `Give words: some of ${choices.join(", ")}.`);
  }
  const unknown = range.words.find((word) => !choices.includes(word));
  if (unknown === undefined) return;
  throw invalid(
    `${field}.words`,
    `The parameter "${name}" cannot be "${unknown}".`,
    `Use some of: ${choices.join(", ")}.`,
  );
}

function checkNumbers(
  { name, minimum, maximum, whole }: Exclude<RecipeParameter, { choices: unknown }>,
  { from, to, scale, words }: SearchRange,
  field: string,
): void {
  if (words.length > 0) throw invalid(`${field}.words`, `The parameter "${name}" is a number.`, "Give from and to.");
  if (scale !== "" && scale !== "linear" && scale !== "log") {
    throw invalid(`${field}.scale`, `There is no scale "${scale}".`, `Use "linear" or "log".`);
  }
  const bounds = `"${name}" goes from ${minimum} to ${maximum}`;
  if (!(from >= minimum && from <= maximum)) throw invalid(`${field}.from`, `from is ${from}.`, `${bounds}.`);
  if (!(to >= minimum && to <= maximum)) throw invalid(`${field}.to`, `to is ${to}.`, `${bounds}.`);
  if (from > to) throw invalid(field, `The range begins at ${from} and ends at ${to}.`, "from must be at most to.");
  if (scale === "log" && from <= 0) {
    throw invalid(
      `${field}.from`,
      `A range by powers cannot begin at ${from}.`,
      "Begin above 0, or use the scale linear.",
    );
  }
  if (whole === true && !(Number.isInteger(from) && Number.isInteger(to))) {
    throw invalid(field, `"${name}" is a whole number.`, "Give whole numbers for from and to.");
  }
}

function assertOfTask(recipe: EstimatorRecipe, name: string, task: Task): void {
  const specs: readonly ParameterSpec[] = recipe.estimators[task]?.parameters ?? [];
  if (specs.some((spec) => spec.name === name)) return;
  const remedy = `It has: ${named(specs)}.`;
  throw invalid(`ranges["${name}"]`, `The recipe "${recipe.name}" has no parameter "${name}" for ${task}.`, remedy);
}

function recipeOf(name: string): EstimatorRecipe | undefined {
  return recipes.find((recipe) => recipe.name === name);
}

function named(things: readonly { readonly name: string }[]): string {
  return things.map(({ name }) => name).join(", ");
}

function invalid(field: string, message: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field: `spec.search.${field}`, remedy });
}
