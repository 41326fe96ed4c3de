import { expect, it } from "vitest";
import { closest, didYouMean } from "./closest.ts";

const recipes = ["auto", "linear", "random-forest", "naive-bayes-gaussian", "k-nearest-neighbours"];

it.each([
  ["random_forest", "random-forest"],
  ["RandomForrest", "random-forest"],
  ["lienar", "linear"],
  ["naive-bayes", "naive-bayes-gaussian"],
  ["k-nearest-neighbors", "k-nearest-neighbours"],
  ["xgboost", undefined],
  ["li", undefined],
])("a name typed as %s means %s", (typed, meant) => {
  expect(closest(typed, recipes)).toBe(meant);
  expect(didYouMean(typed, recipes)).toBe(meant === undefined ? "" : `Did you mean ${meant}? `);
});
