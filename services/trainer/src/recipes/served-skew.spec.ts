import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { withJob } from "../testing/job-work.ts";
import { estimatorRecipes } from "./estimator-recipes.ts";
import { trainRecipe } from "./train-recipe.ts";

const word = fc.constantFrom("rain", "sun", "雨", "晴天", "😀", "👩‍🚀", "wind", "Straße", "ice", "fog");
const sentence = fc.array(word, { minLength: 3, maxLength: 8 }).map((words) => words.join(" "));
const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ min: -1e6, max: 1e6, noNaN: true }));
const row = fc.record({
  number: fc.option(number, { nil: "" }),
  tie: fc.integer({ min: 0, max: 3 }),
  category: fc.option(word, { nil: "" }),
  text: sentence,
  value: fc.double({ min: -100, max: 100, noNaN: true }),
  class: fc.constantFrom("a", "b", "c 😀"),
});
const table = fc.array(row, { minLength: 12, maxLength: 60 });

const cases = estimatorRecipes.flatMap((recipe) => recipe.tasks.map((task) => ({ name: recipe.name, task, recipe })));

function csvOf(rows: readonly object[]): string {
  const lines = rows.map((cells) => Object.values(cells).join(","));
  return `number,tie,category,text,value,class\n${lines.join("\n")}\n`;
}

/** Refusals that random rows may well deserve. A graph that answers otherwise than the trainer is none of them. */
function isDeserved(error: unknown): boolean {
  return error instanceof AimassError && ["ONE_CLASS", "NO_FEATURES"].includes(error.reason ?? "");
}

describe("the graph of a recipe", () => {
  it.each(cases)(
    "$name ($task) answers as the trainer predicts, whatever it was trained on",
    async ({ recipe, task }) => {
      const features = ["number", "tie", "category", "text"];
      const target = task === "regression" ? "value" : "class";
      const spec = { recipe: recipe.name, task, features, target, testShare: 0.4, seed: 1n };
      const train = (csv: string) =>
        withJob({ bytes: csv, spec }, async (work) => {
          await using data = await TrainingData.open(work);
          return await trainRecipe(work, data);
        });
      await fc.assert(
        fc.asyncProperty(table, async (rows) => {
          try {
            const { metrics } = await train(csvOf(rows));
            expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
          } catch (error) {
            if (!isDeserved(error)) throw error;
          }
        }),
        { numRuns: 12 },
      );
    },
  );
});
