import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openDataset } from "@aimass/datasets";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { trainRecipe } from "./train-recipe.ts";

const path = fileURLToPath(new URL("../../../cli/data/digits.zip", import.meta.url));
let bytes: Buffer;

beforeAll(async () => {
  bytes = await readFile(path);
});

function labelsOf(tensor: Tensor | undefined): string[] {
  return Array.from((tensor?.data ?? []) as ArrayLike<unknown>, String);
}

function train(spec: TestJob["spec"]) {
  const job: TestJob = { format: "image-zip", bytes, spec: { target: "label", seed: 3n, ...spec } };
  return withJob(job, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainRecipe(work, data);
  });
}

describe("pictures of digits", () => {
  it.each([
    ["logistic-regression", 0.95],
    ["linear-svm", 0.95],
    ["k-nearest-neighbours", 0.95],
    ["naive-bayes-gaussian", 0.75],
    ["naive-bayes-multinomial", 0.85],
    ["decision-tree", 0.75],
    ["random-forest", 0.95],
  ])(
    "are told apart by %s",
    async (recipe, least) => {
      const { metrics, classes, inputs } = await train({
        recipe,
        ...(recipe === "random-forest" && { parameters: { trees: 30 } }),
      });
      expect(classes).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
      expect(inputs).toBe("Inputs: image.");
      expect(metrics.accuracy).toBeGreaterThan(least);
      expect(metrics.roc_auc).toBeGreaterThan(0.9);
    },
    120_000,
  );

  it("are served as UINT8 pictures of any size", async () => {
    const { files } = await train({ recipe: "logistic-regression" });
    const session = await InferenceSession.create(files.get("model.onnx") ?? expect.fail(), { logSeverityLevel: 3 });
    expect(session.inputMetadata).toMatchObject([{ name: "image", type: "uint8" }]);
    await using dataset = await openDataset({ format: "image-zip", file: path });
    let [right, rows] = [0, 0];
    for await (const batch of dataset.batches({ batchRows: 50 })) {
      const images = batch.columns.get("image");
      const labels = batch.columns.get("label")?.values ?? [];
      if (images?.type !== "image") return expect.fail();
      const pictures = await Promise.all(images.values.map((image) => image.decode()));
      const [{ width, height } = expect.fail()] = pictures;
      const pixels = Uint8Array.from(Buffer.concat(pictures.map(({ rgb }) => rgb)));
      const { label } = await session.run({ image: new Tensor("uint8", pixels, [pictures.length, height, width, 3]) });
      for (const [row, answer] of labelsOf(label).entries()) right += Number(answer === labels[row]);
      rows += batch.rows;
    }
    expect(right / rows).toBeGreaterThan(0.95);
    await session.release();
  }, 120_000);

  it("by their colours alone are hardly told apart, by their pixels in another size they are", async () => {
    const plan = (image: object) => ({
      recipe: "logistic-regression",
      featurePlan: { features: [{ kind: { case: "image" as const, value: { column: "image", ...image } } }] },
    });
    const { metrics } = await train(plan({ histogram: 16, withoutPixels: true }));
    expect(metrics.accuracy).toBeLessThan(0.8);
    const grey = await train(plan({ height: 6, width: 6, grey: true }));
    expect(grey.metrics.accuracy).toBeGreaterThan(0.85);
    expect(JSON.parse(grey.featurePlanJson ?? "").features).toEqual([
      { kind: "image", column: "image", size: [6, 6], channels: "grey" },
    ]);
  }, 120_000);
});
