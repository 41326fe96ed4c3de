import { analyseRows, readModel } from "@aimass/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { trainBySearch } from "../search/search-way.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { trainRecipe } from "./train-recipe.ts";

function train(bytes: string, spec: TestJob["spec"], way = trainRecipe) {
  return withJob({ bytes, spec: { seed: 1n, target: "y", ...spec } }, async (work) => {
    await using data = await TrainingData.open(work);
    return await way(work, data);
  });
}

const day = 86_400_000;
const iso = (days: number) => new Date(days * day).toISOString().slice(0, 10);
const table = (header: string, rows: number, cells: (row: number) => readonly unknown[]) =>
  `${header}\n${Array.from({ length: rows }, (_, i) => cells(i).join(",")).join("\n")}\n`;
/** Rises, with a year and a week in it. */
const sales = (i: number) => 100 + i / 20 + 30 * Math.sin((2 * Math.PI * i) / 365.25) + (i % 7 < 2 ? 15 : 0);
const history = table("day,y", 1200, (i) => [iso(19_000 + i), sales(i)]);

describe("a table of days", () => {
  it.each(["ridge", "gradient-boosting", "random-forest", "decision-tree", "elastic-net"])(
    "is learnt by %s",
    async (recipe) => {
      const { metrics, inputs } = await train(history, { recipe });
      expect(inputs).toBe("Inputs: day.");
      expect(metrics.r2).toBeGreaterThan(0.9);
    },
  );

  it("is foretold by what goes on beyond the training part", async () => {
    const { metrics } = await train(history, { recipe: "ridge", split: { timeBy: "day" }, testShare: 0.1 });
    expect(metrics.r2).toBeGreaterThan(0.8);
  });

  it("of forty days, each of ten rows, has no new categories when time goes on", async () => {
    const csv = table("day,y", 400, (i) => [iso(19_000 + Math.floor(i / 10)), Math.floor(i / 10)]);
    const { metrics } = await train(csv, { recipe: "ridge", split: { timeBy: "day" } });
    expect(metrics.r2).toBeGreaterThan(0.5);
  });

  it("is found by a search, and told apart by classifiers that take no negative features", async () => {
    const search = { trials: 2, recipes: ["ridge", "gradient-boosting"], budgetSeconds: 60 };
    const found = await train(history, { recipe: "auto", search }, trainBySearch);
    expect(found.metrics.r2).toBeGreaterThan(0.9);
    const season = (i: number) => ["winter", "spring", "summer", "autumn"][Math.floor(((i + 31) % 365) / 92)];
    const csv = table("day,y", 1200, (i) => [iso(19_000 + i), season(i)]);
    for (const recipe of ["naive-bayes-multinomial", "logistic-regression", "k-nearest-neighbours"]) {
      expect((await train(csv, { recipe })).metrics.accuracy, recipe).toBeGreaterThan(0.7);
    }
  });

  it("is served by days since 1970, a gap as NaN, and by hand has the parts that were asked for", async () => {
    const value = { column: "day", parts: ["weekday", "year"] };
    const featurePlan = { features: [{ kind: { case: "date" as const, value } }] };
    const { files, featurePlanJson } = await train(history, { recipe: "decision-tree", featurePlan });
    expect(JSON.parse(featurePlanJson ?? "").features).toMatchObject([{ kind: "date", parts: ["weekday", "year"] }]);
    const session = await InferenceSession.create(files.get("model.onnx") ?? expect.fail());
    const days = new Tensor("float64", [19_000, 19_007, 19_003, Number.NaN], [4]);
    const y = Array.from((await session.run({ day: days })).y?.data as Float32Array);
    expect(y[0]).toBe(y[1]);
    expect(y[0]).not.toBe(y[2]);
    expect(y.every((one) => Number.isFinite(Number(one)))).toBe(true);
    const unknown = train(history, {
      recipe: "ridge",
      featurePlan: { features: [{ kind: { case: "date" as const, value: { column: "day", parts: ["decade"] } } }] },
    });
    await expect(unknown).rejects.toThrow(/no part "decade"/);
  });
});

describe("a table of days as people write them", () => {
  const german = (days: number) => iso(days).split("-").reverse().join(".");
  const written = table("day,y", 1200, (i) => [german(19_000 + i), sales(i)]);

  it.each(["ridge", "gradient-boosting"])("is learnt by %s as one of ISO 8601 is", async (recipe) => {
    const { metrics, inputs } = await train(written, { recipe });
    expect(inputs).toBe("Inputs: day.");
    expect(metrics).toEqual((await train(history, { recipe })).metrics);
  });

  it("is split by time as one of ISO 8601 is", async () => {
    const spec = { recipe: "ridge", split: { timeBy: "day" }, testShare: 0.1 };
    const { metrics } = await train(written, spec);
    expect(metrics).toEqual((await train(history, spec)).metrics);
  });
});

it.each(["ridge", "gradient-boosting"])("graphs of %s over days and long numbers may share runs", async (recipe) => {
  const csv = table("day,at,long,y", 900, (i) => [
    iso(19_000 + i),
    `${iso(19_000 + i)}T0${i % 10}:00:00Z`,
    2 ** 40 + i,
    sales(i),
  ]);
  const { files } = await train(csv, { recipe, features: ["day", "at", "long"] });
  const verdict = analyseRows(readModel(files.get("model.onnx") ?? expect.fail()));
  expect(verdict.proven, verdict.reason).toBe(true);
});

describe("moments in milliseconds", () => {
  const halves = table("t,y", 400, (i) => [1_700_000_000_000 + 1000 * i, i < 200 ? "first" : "second"]);
  const offset = table("t,y", 400, (i) => [1000 * i, i < 200 ? "first" : "second"]);

  it.each([
    "logistic-regression",
    "decision-tree",
    "gradient-boosting",
    "k-nearest-neighbours",
    "naive-bayes-gaussian",
  ])("are told apart by %s as without what they have in common", async (recipe) => {
    const spec = { recipe, features: ["t"] };
    const accuracy = async (csv: string) => (await train(csv, spec)).metrics.accuracy ?? 0;
    expect(await accuracy(halves)).toBeGreaterThanOrEqual((await accuracy(offset)) - 0.013);
  });
});
