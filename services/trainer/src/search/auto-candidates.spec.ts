import { describe, expect, it } from "vitest";
import { recipes } from "../recipes/catalogue.ts";
import { autoCandidates, type DataFacts, simplestRecipes } from "./auto-candidates.ts";

const table: DataFacts = {
  task: "classification",
  rows: 1000,
  features: 20,
  tables: 10,
  texts: 0,
  images: 0,
  classes: 3,
};
const choose = (facts: Partial<DataFacts>, only?: readonly string[]) =>
  autoCandidates(recipes, { ...table, ...facts }, only);
const names = (facts: Partial<DataFacts>) => choose(facts).recipes.map(({ name }) => name);
const reasonFor = (recipe: string, facts: Partial<DataFacts>) =>
  choose(facts).excluded.find((e) => e.recipe === recipe)?.reason;

describe("the recipes that are tried", () => {
  it.each([
    { what: "a table to classify", facts: {}, first: ["logistic-regression", "gradient-boosting"] },
    {
      what: "a table with a number to predict",
      facts: { task: "regression" as const, classes: 0 },
      first: ["ridge", "gradient-boosting"],
    },
    {
      what: "texts to classify",
      facts: { texts: 1, tables: 0, features: 20_000 },
      first: ["naive-bayes-multinomial", "logistic-regression"],
    },
    {
      what: "pictures",
      facts: { images: 1, tables: 0, features: 64 },
      first: ["naive-bayes-gaussian", "logistic-regression"],
    },
  ])("for $what are quick and strong ones first", ({ facts, first }) => {
    expect(names(facts).slice(0, 2)).toEqual(first);
  });

  it.each([
    { recipe: "naive-bayes-multinomial", facts: {}, reason: /no text/ },
    { recipe: "random-forest", facts: { texts: 1, tables: 0 }, reason: /many words/ },
    { recipe: "k-nearest-neighbours", facts: { rows: 100_000 }, reason: /compare 100000 rows/ },
    { recipe: "k-nearest-neighbours", facts: { rows: 20_000, features: 1000 }, reason: /in the model/ },
    { recipe: "gradient-boosting", facts: { classes: 200 }, reason: /200 trees/ },
    { recipe: "gradient-boosting", facts: { rows: 40 }, reason: /at least 60/ },
    { recipe: "naive-bayes-gaussian", facts: { rows: 5 }, reason: /two rows/ },
    { recipe: "linear", facts: { task: "regression" as const }, reason: /what ridge does/ },
  ])("leave $recipe out for a reason that is said", ({ recipe, facts, reason }) => {
    expect(reasonFor(recipe, facts)).toMatch(reason);
    expect(names(facts)).not.toContain(recipe);
  });

  it("leave out what would need all rows in memory, when they are too many", () => {
    const [forest = expect.fail()] = recipes.filter(({ name }) => name === "random-forest");
    const { fitStream: _, ...whole } = forest.estimators.classification ?? expect.fail();
    const inMemory = { ...forest, estimators: { classification: whole } };
    const { excluded } = autoCandidates([inMemory], { ...table, rows: 1e6, features: 1000 });
    expect(excluded).toEqual([
      { recipe: "random-forest", reason: "would need 1000000 rows × 1000 features in memory at once" },
    ]);
  });

  it("keep trees for texts that stand beside other columns", () => {
    expect(names({ texts: 1, tables: 4 })).toContain("gradient-boosting");
  });

  it("are those named alone, when some are", () => {
    const { recipes: chosen, excluded } = choose({}, ["decision-tree", "ridge"]);
    expect(chosen.map(({ name }) => name)).toEqual(["decision-tree"]);
    expect(excluded).toEqual([]);
  });

  it("are never none, whatever the data", () => {
    for (const task of ["regression", "classification"] as const) {
      for (const rows of [2, 50, 1e4, 1e7]) {
        for (const features of [1, 100, 1e5]) {
          for (const [tables, texts, images] of [
            [1, 0, 0],
            [0, 1, 0],
            [3, 1, 0],
            [0, 0, 1],
          ] as const) {
            const facts = { task, rows, features, tables, texts, images, classes: task === "regression" ? 0 : 2 };
            expect(names(facts), JSON.stringify(facts)).not.toEqual([]);
          }
        }
      }
    }
  });

  it("have all a place in the order of simplicity", () => {
    const named = recipes.map(({ name }) => name).filter((name) => name !== "auto");
    expect([...simplestRecipes].sort()).toEqual(named.sort());
  });
});
