import type { EstimatorRecipe } from "./recipe.ts";

/** Stands for the recipe that a search finds (search/auto-search.ts): it has neither parameters nor an estimator of its own. */
export const autoRecipe: EstimatorRecipe = {
  kind: "estimator",
  name: "auto",
  description:
    "Tries the recipes that suit the data by cross-validation, as many variations of the best as the budget allows, and keeps the best. Its leaderboard is in the job's report.",
  tasks: ["regression", "classification"],
  parameters: [],
  estimators: {},
  nonNegative: false,
  numbersOnly: false,
};
