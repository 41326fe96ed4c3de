import { AimassError, didYouMean } from "@aimass/core";
import type { Task } from "@aimass/learn";
import type { ChoiceParameter, NumberParameter, Recipe, RecipeParameter } from "./recipe.ts";

/** Parameters of a recipe by kind, as a job's spec has them. */
export interface GivenParameters {
  readonly parameters: Readonly<Record<string, number>>;
  readonly choices: Readonly<Record<string, string>>;
}

/** Throws INVALID_ARGUMENT for a name the recipe does not have, a value out of bounds, or a word it does not know. */
export function checkParameters(recipe: Recipe, given: GivenParameters): void {
  for (const [name, value] of Object.entries(given.parameters)) checkNumber(find(recipe, name, "parameters"), value);
  for (const [name, word] of Object.entries(given.choices)) checkChoice(find(recipe, name, "choices"), word);
}

/** All parameters of a recipe for a task: those given, defaults for the rest. Throws INVALID_ARGUMENT for one that the task does not have. */
export function resolveParameters(recipe: Recipe, task: Task, given: GivenParameters): GivenParameters {
  checkParameters(recipe, given);
  const parameters: Record<string, number> = {};
  const choices: Record<string, string> = {};
  const own = recipe.estimators[task]?.parameters;
  for (const parameter of recipe.parameters) {
    const { name } = parameter;
    const spec = own?.find((p) => p.name === name);
    const isGiven = name in given.parameters || name in given.choices;
    if (own !== undefined && spec === undefined) {
      if (isGiven) throw unknown(recipe, name, "choices" in parameter ? "choices" : "parameters", ` for ${task}`);
    } else if (isChoice(parameter)) {
      choices[name] = given.choices[name] ?? String(spec?.default ?? parameter.defaultChoice);
    } else {
      parameters[name] = given.parameters[name] ?? Number(spec?.default ?? parameter.defaultValue);
    }
  }
  return { parameters, choices };
}

function find(recipe: Recipe, name: string, field: "parameters" | "choices"): RecipeParameter {
  const parameter = recipe.parameters.find((p) => p.name === name);
  if (parameter === undefined) throw unknown(recipe, name, field);
  return parameter;
}

function checkNumber(parameter: RecipeParameter, value: number): void {
  const { name } = parameter;
  const field = `spec.parameters["${name}"]`;
  if (isChoice(parameter)) {
    throw new AimassError("INVALID_ARGUMENT", `The parameter "${name}" is a word, not the number ${value}.`, {
      field,
      remedy: `Give one of ${parameter.choices.join(", ")} in choices.`,
    });
  }
  const { minimum, maximum, whole } = parameter;
  if (value >= minimum && value <= maximum && (whole !== true || Number.isInteger(value))) return;
  throw new AimassError("INVALID_ARGUMENT", `The parameter "${name}" is ${value}.`, {
    field,
    remedy: `It must be ${whole === true ? "a whole number " : ""}from ${minimum} to ${maximum}.`,
  });
}

function checkChoice(parameter: RecipeParameter, word: string): void {
  if (isChoice(parameter) && parameter.choices.includes(word)) return;
  throw new AimassError("INVALID_ARGUMENT", `The parameter "${parameter.name}" is "${word}".`, {
    field: `spec.choices["${parameter.name}"]`,
    remedy: isChoice(parameter)
      ? `It must be one of: ${parameter.choices.join(", ")}.`
      : `It is a number from ${parameter.minimum} to ${parameter.maximum}, to be given in parameters.`,
  });
}

export function isChoice(parameter: NumberParameter | ChoiceParameter): parameter is ChoiceParameter {
  return "choices" in parameter;
}

function unknown(recipe: Recipe, name: string, field: "parameters" | "choices", where = ""): AimassError {
  const names = recipe.parameters.map((p) => p.name).filter((known) => known !== name);
  return new AimassError("INVALID_ARGUMENT", `The recipe "${recipe.name}" has no parameter "${name}"${where}.`, {
    field: `spec.${field}["${name}"]`,
    remedy: `${didYouMean(name, names)}It has: ${names.join(", ")}.`,
  });
}
