import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { getRecipe } from "../recipes/catalogue.ts";
import { checkSearch, fitSearch, isSearch } from "./check-search.ts";

type Init = MessageInitShape<typeof JobSpecSchema>;
const spec = (init: Init): JobSpec => create(JobSpecSchema, init);
const check = (init: Init) => {
  const made = spec(init);
  checkSearch(made, getRecipe(made.recipe));
};

/** The error of a call. */
function failure(call: () => unknown): AimassError {
  try {
    call();
  } catch (error) {
    if (error instanceof AimassError) return error;
    throw error;
  }
  return expect.fail("it went through");
}

describe("a search that cannot be", () => {
  it.each([
    { search: { method: "grid" }, field: "spec.search.method", advice: /random, halving/ },
    { search: { trials: -1 }, field: "spec.search.trials", advice: /from 0 to 1000/ },
    { search: { trials: 1001 }, field: "spec.search.trials", advice: /from 0 to 1000/ },
    { search: { parallel: 1000 }, field: "spec.search.parallel", advice: /CPUs/ },
    { search: { budgetSeconds: -1 }, field: "spec.search.budget_seconds", advice: /from 0/ },
    { search: { budgetSeconds: Number.NaN }, field: "spec.search.budget_seconds", advice: /from 0/ },
    { search: { budgetSeconds: 1e9 }, field: "spec.search.budget_seconds", advice: /604800/ },
    { search: { metric: "beauty" }, field: "spec.search.metric", advice: /rmse/ },
    { search: { recipes: ["lasso"] }, field: "spec.search.recipes", advice: /"auto"/ },
    { search: { ranges: { l3: {} } }, field: 'spec.search.ranges["l3"]', advice: /It has: .*l2/ },
    { search: { ranges: { l2: { from: 2, to: 1 } } }, field: 'spec.search.ranges["l2"]', advice: /at most/ },
    { search: { ranges: { l2: { from: -1, to: 1 } } }, field: 'spec.search.ranges["l2"].from', advice: /goes from 0/ },
    { search: { ranges: { l2: { from: 0, to: 1e99 } } }, field: 'spec.search.ranges["l2"].to', advice: /goes from 0/ },
    {
      search: { ranges: { l2: { from: 0, to: 1, scale: "log" } } },
      field: 'spec.search.ranges["l2"].from',
      advice: /above 0/,
    },
    {
      search: { ranges: { l2: { from: 0, to: 1, scale: "cubic" } } },
      field: 'spec.search.ranges["l2"].scale',
      advice: /log/,
    },
    { search: { ranges: { l2: { words: ["much"] } } }, field: 'spec.search.ranges["l2"].words', advice: /number/ },
    {
      search: { ranges: { maxIterations: { from: 1.5, to: 3 } } },
      field: 'spec.search.ranges["maxIterations"]',
      advice: /whole/,
    },
    {
      search: { ranges: { classWeights: { words: ["heavy"] } } },
      field: 'spec.search.ranges["classWeights"].words',
      advice: /balanced/,
    },
    {
      search: { ranges: { classWeights: { from: 1, to: 2 } } },
      field: 'spec.search.ranges["classWeights"]',
      advice: /words/,
    },
  ])("$search is told by its field and what would be right", ({ search, field, advice }) => {
    const error = failure(() => check({ recipe: "logistic-regression", search }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", field });
    expect(error.advice).toMatch(advice);
  });

  it.each([
    { init: { parameters: { l2: 1 } }, field: 'spec.parameters["l2"]' },
    { init: { choices: { votes: "equal" } }, field: 'spec.choices["votes"]' },
    { init: { search: { ranges: { l2: { to: 1 } } } }, field: 'spec.search.ranges["l2"]' },
    { init: { search: { recipes: ["ridge", "magic"] } }, field: "spec.search.recipes[1]" },
    { init: { search: { recipes: ["auto"] } }, field: "spec.search.recipes[0]" },
  ])('with "auto" and $init is told by its field', ({ init, field }) => {
    expect(failure(() => check({ recipe: "auto", ...init }))).toMatchObject({ code: "INVALID_ARGUMENT", field });
  });
});

describe("a search that can be", () => {
  const fit = (init: Init, task: "regression" | "classification") => {
    const made = spec(init);
    checkSearch(made, getRecipe(made.recipe));
    return fitSearch(made, getRecipe(made.recipe), task);
  };

  it("is one with search, or with auto", () => {
    expect(isSearch(spec({ recipe: "ridge" }))).toBe(false);
    expect(isSearch(spec({ recipe: "ridge", search: {} }))).toBe(true);
    expect(isSearch(spec({ recipe: "auto" }))).toBe(true);
  });

  it("gets its defaults, and keeps the given parameters alone", () => {
    const { search, parameters } = fit({ recipe: "ridge", parameters: { l2: 5 }, search: {} }, "regression");
    expect(search).toMatchObject({ method: "random", trials: 20, budgetSeconds: 0, metric: "r2" });
    expect(parameters).toEqual({ l2: 5 });
  });

  it("with auto has 60 s and as many trials as fit", () => {
    const { search } = fit({ recipe: "auto" }, "classification");
    expect(search).toMatchObject({ method: "random", trials: 0, budgetSeconds: 60, metric: "macro_f1" });
    expect(fit({ recipe: "auto", search: { method: "halving" } }, "regression").search.trials).toBe(20);
  });

  it.each([
    {
      init: { recipe: "auto", search: { metric: "r2" } },
      task: "classification" as const,
      field: "spec.search.metric",
    },
    {
      init: { recipe: "auto", search: { recipes: ["ridge"] } },
      task: "classification" as const,
      field: "spec.search.recipes[0]",
    },
    {
      init: { recipe: "gradient-boosting", search: { ranges: { classWeights: { words: ["none"] } } } },
      task: "regression" as const,
      field: 'spec.search.ranges["classWeights"]',
    },
  ])("does not fit every task: $init", ({ init, task, field }) => {
    expect(failure(() => fit(init, task))).toMatchObject({ code: "INVALID_ARGUMENT", field });
  });
});
