import { InferenceSession } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { estimatorRecipes } from "./estimator-recipes.ts";
import { outputNames } from "./served-graph.ts";
import { trainRecipe } from "./train-recipe.ts";

/** Names that something else in a model, or in JavaScript, could have; but for __proto__, which a job refuses. */
const odd = ["y", "label", "probabilities", "value", "cast_1", "toString", "constructor", "model/cast_2", "a b,c"];

/** Trains on a table of columns with these names, each of which the target needs. */
function train(recipe: string, names: readonly string[], isClasses: boolean) {
  const rows = Array.from({ length: 120 }, (_, row) =>
    names.map((_, at) => Math.round(20 * Math.sin(row * (at + 1) + at))),
  );
  const target = (row: readonly number[]) => row.reduce((sum, value) => sum + value, 0);
  const cells = rows.map((row) => [...row, isClasses ? (target(row) > 0 ? "up" : "down") : target(row)].join(","));
  const bytes = `${[...names, "target"].map((name) => JSON.stringify(name)).join(",")}\n${cells.join("\n")}\n`;
  const job: TestJob = { bytes, spec: { recipe, target: "target", features: [...names], seed: 1n } };
  return withJob(job, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainRecipe(work, data);
  });
}

describe("a column may have any name", () => {
  it.each(estimatorRecipes.filter(({ name }) => name !== "naive-bayes-multinomial"))(
    "in a model by $name, whose outputs then have others",
    async ({ name, tasks }) => {
      for (const task of tasks) {
        const { files, scores } = await train(name, odd, task === "classification");
        const session = await InferenceSession.create(files.get("model.onnx") as Uint8Array, { logSeverityLevel: 3 });
        expect([...session.inputNames].sort()).toEqual([...odd].sort());
        const outputs = task === "regression" ? ["predicted_y"] : ["predicted_label", "predicted_probabilities"];
        expect(session.outputNames).toEqual(outputs);
        if (task === "classification") expect(scores).toBe("predicted_probabilities");
        await session.release();
      }
    },
    120_000,
  );

  it("and the usual outputs stay where no column has their names", () => {
    expect(outputNames(["label"])).toEqual({
      value: "y",
      label: "predicted_label",
      probabilities: "predicted_probabilities",
    });
    expect(outputNames(["y", "predicted_y"]).value).toBe("predicted_predicted_y");
  });
});
