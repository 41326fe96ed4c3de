import { AimassError } from "@aimass/core";
import { linearRecipe } from "./linear/linear-recipe.ts";
import type { Recipe } from "./recipe.ts";

/** Every recipe there is, by name. */
export const recipes: readonly Recipe[] = [linearRecipe];

/** Throws NOT_FOUND with the names there are. */
export function getRecipe(name: string): Recipe {
  const recipe = recipes.find((r) => r.name === name);
  if (recipe !== undefined) return recipe;
  throw new AimassError("NOT_FOUND", `There is no recipe "${name}".`, {
    field: "spec.recipe",
    remedy: `Use one of: ${recipes.map((r) => r.name).join(", ")}.`,
  });
}

/** All parameters of a recipe: those given, defaults for the rest. Throws INVALID_ARGUMENT for an unknown name or a value out of bounds. */
export function resolveParameters(recipe: Recipe, given: Readonly<Record<string, number>>): Record<string, number> {
  const names = recipe.parameters.map((p) => p.name);
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    throw new AimassError("INVALID_ARGUMENT", `The recipe "${recipe.name}" has no parameter "${name}".`, {
      field: `spec.parameters["${name}"]`,
      remedy: `It has: ${names.join(", ")}.`,
    });
  }
  return Object.fromEntries(
    recipe.parameters.map((parameter) => {
      const value = given[parameter.name] ?? parameter.defaultValue;
      if (value >= parameter.minimum && value <= parameter.maximum) return [parameter.name, value];
      throw new AimassError("INVALID_ARGUMENT", `The parameter "${parameter.name}" is ${value}.`, {
        field: `spec.parameters["${parameter.name}"]`,
        remedy: `It must be from ${parameter.minimum} to ${parameter.maximum}.`,
      });
    }),
  );
}
