import { type Estimator, estimatorNamed, type ParameterSpec, type Task } from "@aimass/learn";
import type { EstimatorRecipe, RecipeParameter } from "./recipe.ts";

/** Recipes by name, each with the estimators it is made of. */
const named: readonly (readonly [name: string, ...estimators: string[]])[] = [
  ["linear", "linear-regression"],
  ["ridge", "linear-regression"],
  ["lasso", "lasso"],
  ["elastic-net", "elastic-net"],
  ["logistic-regression", "logistic-regression"],
  ["naive-bayes-multinomial", "multinomial-naive-bayes"],
  ["naive-bayes-gaussian", "gaussian-naive-bayes"],
  ["linear-svm", "linear-svm"],
  ["k-nearest-neighbours", "nearest-neighbours-classifier", "nearest-neighbours-regressor"],
  ["decision-tree", "decision-tree-classifier", "decision-tree-regressor"],
  ["random-forest", "random-forest-classifier", "random-forest-regressor"],
  ["gradient-boosting", "gradient-boosting-classifier", "gradient-boosting-regressor"],
];

/** Every estimator of @aimass/learn as a recipe. */
export const estimatorRecipes: readonly EstimatorRecipe[] = named.map(([name, ...estimators]) =>
  recipeOf(name, estimators.map(estimatorNamed)),
);

function recipeOf(name: string, estimators: readonly Estimator[]): EstimatorRecipe {
  return {
    kind: "estimator",
    name,
    description: estimators[0]?.description ?? "",
    tasks: estimators.map(({ task }) => task),
    parameters: allParameters(estimators),
    estimators: Object.fromEntries(estimators.map((estimator) => [estimator.task, estimator])) as Partial<
      Record<Task, Estimator>
    >,
    nonNegative: name === "naive-bayes-multinomial",
    numbersOnly: name === "linear",
  };
}

/** Parameters of any of the estimators; a default they do not share is left open. */
function allParameters(estimators: readonly Estimator[]): RecipeParameter[] {
  const specs = new Map<string, ParameterSpec[]>();
  for (const spec of estimators.flatMap(({ parameters }) => parameters)) {
    specs.set(spec.name, [...(specs.get(spec.name) ?? []), spec]);
  }
  return [...specs.values()].map((same) =>
    describe(same[0] as ParameterSpec, new Set(same.map((s) => s.default)).size > 1),
  );
}

function describe(spec: ParameterSpec, defaultsDiffer: boolean): RecipeParameter {
  const { name, meaning: description } = spec;
  if (spec.kind === "choice") {
    return { name, description, choices: spec.choices, defaultChoice: defaultsDiffer ? "" : spec.default };
  }
  const { minimum, maximum, default: defaultValue } = spec;
  return { name, description, defaultValue, minimum, maximum, whole: spec.kind === "integer" };
}
