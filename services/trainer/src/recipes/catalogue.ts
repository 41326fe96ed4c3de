import { AimassError, didYouMean } from "@aimass/core";
import { autoRecipe } from "./auto-recipe.ts";
import { estimatorRecipes } from "./estimator-recipes.ts";
import type { Recipe } from "./recipe.ts";

/** Every recipe there is, by name. */
export const recipes: readonly Recipe[] = [autoRecipe, ...estimatorRecipes];

/** Throws NOT_FOUND with the names there are. */
export function getRecipe(name: string): Recipe {
  const recipe = recipes.find((r) => r.name === name);
  if (recipe !== undefined) return recipe;
  const names = recipes.map((r) => r.name);
  throw new AimassError("NOT_FOUND", `There is no recipe "${name}".`, {
    field: "spec.recipe",
    remedy: `${didYouMean(name, names)}Use one of: ${names.join(", ")}.`,
  });
}
