import { AimassError } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { greyPng, storedZip } from "../testing/pictures.ts";
import { trainRecipe } from "./train-recipe.ts";

function train(job: TestJob) {
  return withJob(job, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainRecipe(work, data);
  });
}

const failure = (job: TestJob) =>
  train(job).then(
    () => expect.fail("it was trained"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(AimassError);
      return error as AimassError;
    },
  );

/** `count` rows of cells. */
function table(header: string, count: number, cells: (row: number) => readonly unknown[]): string {
  return `${header}\n${Array.from({ length: count }, (_, row) => cells(row).join(",")).join("\n")}\n`;
}

describe("columns that say nothing", () => {
  it("all of whose values are missing are left out, and the log says so", async () => {
    const logs: string[] = [];
    const bytes = table("a,none,y", 60, (i) => [i, "", 2 * i]);
    const spec = { recipe: "ridge", target: "y" };
    const { metrics, inputs } = await train({ bytes, spec, report: { log: (line) => void logs.push(line) } });
    expect(inputs).toBe("Inputs: a.");
    expect(metrics.r2).toBeGreaterThan(0.98);
    expect(logs.join("\n")).toContain('Column "none" is left out: all of its values are missing.');
  });

  it("that are constant only in the training part do no harm", async () => {
    const bytes = table("a,b,y", 60, (i) => [i, i === 59 ? 1000 : 7, 3 * i]);
    const spec = { recipe: "linear", target: "y", features: ["a", "b"], split: { timeBy: "a" }, parameters: { l2: 0 } };
    const { metrics } = await train({ bytes, spec });
    expect(metrics.r2).toBeGreaterThan(0.99);
  });

  it("because each is a combination of others leave least squares an answer", async () => {
    const bytes = table("a,b,c,y", 60, (i) => [i, 2 * i, i % 7, 3 * i + (i % 7)]);
    const { metrics } = await train({ bytes, spec: { recipe: "linear", target: "y", parameters: { l2: 0 } } });
    expect(metrics.r2).toBeGreaterThan(0.9999);
  });
});

describe("a target", () => {
  it("that is the same in every row is a warning in a regression", async () => {
    const warnings: string[] = [];
    const bytes = table("a,y", 40, (i) => [i, 5]);
    const { metrics } = await train({
      bytes,
      spec: { recipe: "linear", target: "y" },
      report: { warn: (line) => void warnings.push(line) },
    });
    expect(warnings).toEqual(['The target "y" is the same in every row; there is nothing to learn.']);
    expect(metrics.mae).toBeLessThan(1e-6);
  });

  it.each(["1e999", "-inf", "Infinity"])("with a %s in it is refused in a sentence", async (cell) => {
    const bytes = table("a,y", 40, (i) => [i, i === 20 ? cell : i]);
    const error = await failure({ bytes, spec: { recipe: "linear", target: "y" } });
    expect(["FAILED_PRECONDITION", "INVALID_ARGUMENT"]).toContain(error.code);
    expect(error.message).toMatch(/"y"/);
  });

  it("with NaN in it is a target with gaps: refused, or without those rows", async () => {
    const bytes = table("a,y", 40, (i) => [i, i === 20 ? "NaN" : 3 * i]);
    const spec = { recipe: "linear", target: "y", parameters: { l2: 0 } };
    expect(await failure({ bytes, spec })).toMatchObject({ code: "FAILED_PRECONDITION", field: "spec.target" });
    const { metrics } = await train({ bytes, spec: { ...spec, data: { missingTarget: "drop" } } });
    expect(metrics.r2).toBeGreaterThan(0.9999);
  });

  it("with a class that only the held-out part has counts those rows as wrong", async () => {
    const reports: unknown[] = [];
    const bytes = table("a,y", 60, (i) => [i, i >= 55 ? "late" : i % 2 === 0 ? "even" : "odd"]);
    const spec = { recipe: "decision-tree", target: "y", split: { timeBy: "a" } };
    await train({ bytes, spec, report: { evaluated: (so) => void reports.push(so) } });
    expect(reports.at(-1)).toMatchObject({ detail: { value: { classes: ["even", "odd"], unknownRows: 5n } } });
  });
});

describe("numbers that are hard to take", () => {
  it.each(["linear", "gradient-boosting", "k-nearest-neighbours"])(
    "beyond FP32 count as missing for %s",
    async (recipe) => {
      const bytes = table("a,b,y", 80, (i) => [i % 9 === 0 ? "1e300" : i, -1e-300 * i, 2 * i]);
      const { metrics } = await train({ bytes, spec: { recipe, target: "y" } });
      expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
    },
  );
});

describe("a text column full of emoji", () => {
  it.each(["logistic-regression", "naive-bayes-multinomial", "random-forest"])("is learnt by %s", async (recipe) => {
    const [glad, sad] = ["😀😃🎉👍🏽", "😡😢💔👎🏿"];
    const bytes = table("text,mood", 120, (i) => [
      `${i % 2 === 0 ? glad : sad}👨‍👩‍👧‍👦 ${["🐶", "🐱", "🇨🇭"][i % 3]}`,
      i % 2 === 0 ? "😀" : "😢",
    ]);
    const { metrics, classes } = await train({ bytes, spec: { recipe, target: "mood" } });
    expect(classes).toEqual(["😀", "😢"]);
    expect(metrics.accuracy).toBe(1);
  });
});

describe("a ZIP of pictures", () => {
  const spec = { recipe: "logistic-regression", target: "label" };
  const pictures = (broken?: number, sizes = [6]) =>
    storedZip(
      Array.from({ length: 24 }, (_, i) => {
        const picture = greyPng(i % 2 === 0 ? 20 + i : 200 - i, sizes[i % sizes.length]);
        if (i === broken) picture.fill(0, 45, 55);
        return [`${i % 2 === 0 ? "dark" : "light"}/${i}.png`, picture] as const;
      }),
    );

  it("is learnt", async () => {
    const { metrics } = await train({ format: "image-zip", bytes: pictures(), spec });
    expect(metrics.accuracy).toBe(1);
  });

  it("of different sizes is learnt, and served as it was learnt", async () => {
    const { metrics, featurePlanJson } = await train({
      format: "image-zip",
      bytes: pictures(undefined, [6, 9, 9, 70]),
      spec,
    });
    expect(metrics.accuracy).toBe(1);
    expect(JSON.parse(featurePlanJson ?? "")).toMatchObject({ features: [{ size: [32, 32] }] });
  });

  it("with one that is broken is refused by its name", async () => {
    const error = await failure({ format: "image-zip", bytes: pictures(7), spec });
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain("light/7.png");
  });
});
