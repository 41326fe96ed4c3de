import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { trainRecipe } from "./train-recipe.ts";

/** Trains without naming features; what a person is told, too. */
async function train(bytes: string, spec: TestJob["spec"]) {
  const told: string[] = [];
  const report = { log: (line: string) => void told.push(line), warn: (line: string) => void told.push(line) };
  const made = await withJob({ bytes, spec: { seed: 1n, ...spec }, report }, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainRecipe(work, data);
  });
  return { ...made, told: told.join("\n") };
}

const table = (header: string, rows: number, cells: (row: number) => readonly unknown[]) =>
  `${header}\n${Array.from({ length: rows }, (_, i) => cells(i).join(",")).join("\n")}\n`;

const classifiers = [
  "logistic-regression",
  "linear-svm",
  "naive-bayes-gaussian",
  "k-nearest-neighbours",
  "random-forest",
];

describe("a column of one value and gaps", () => {
  it.each(["naive-bayes-multinomial", "gradient-boosting", "decision-tree", ...classifiers])(
    "tells %s where the gaps are, in words and in numbers",
    async (recipe) => {
      const has = (i: number) => (i * 7919) % 97 < 50;
      for (const value of ["yes", "1", "true"]) {
        const csv = table("pool,noise,y", 200, (i) => [has(i) ? value : "", (i * 31) % 7, has(i) ? "a" : "b"]);
        const { metrics } = await train(csv, { recipe, target: "y" });
        expect(metrics.accuracy, value).toBe(1);
      }
    },
  );

  it("without gaps tells nothing", async () => {
    const csv = table("same,word,a,y", 100, (i) => [1, "x", i % 10, i % 2]);
    const { inputs, told } = await train(csv, { recipe: "decision-tree", target: "y", task: "classification" });
    expect(inputs).toBe("Inputs: a.");
    expect(told).toMatch(/"same" is left out: it has one value only/);
    expect(told).toMatch(/"word" is left out: it has one value only/);
  });
});

describe("categories of the held-out part", () => {
  it("that training did not see are told of, those that it saw are not", async () => {
    const csv = table("at,week,side,y", 300, (i) => [i, `w${Math.floor(i / 30)}`, ["l", "r"][i % 2], i % 2]);
    const spec = { recipe: "ridge", target: "y", split: { timeBy: "at" } };
    const { told } = await train(csv, spec);
    expect(told).toMatch(/In 60 of 60 held-out rows the "week" is none that training could learn/);
    expect(told).not.toMatch(/the "side" is none/);
    expect((await train(csv, { ...spec, split: {} })).told).not.toMatch(/is none that training/);
  });
});

describe("columns that hold for no other row", () => {
  const csv = table("id,code,alive,a,y", 200, (i) => [i, `K-${i + 1000}`, i % 2, i % 10, i % 2]);
  const spec = { recipe: "decision-tree", target: "y", task: "classification" };

  it("are no features, nor is the target once more, and the job says so", async () => {
    const { inputs, told } = await train(csv, spec);
    expect(inputs).toBe("Inputs: a.");
    expect(told).toMatch(/"id" is left out: its values name rows/);
    expect(told).toMatch(/"code" is left out: its values name rows/);
    expect(told).toMatch(/"alive" is left out: it is the target once more/);
  });

  it("are features where a person named them", async () => {
    const { inputs } = await train(csv, { ...spec, features: ["id", "code", "alive", "a"] });
    expect(inputs).toBe("Inputs: id, code, alive, a.");
  });
});

describe("a target that a person may not have meant", () => {
  const told = async (csv: string, spec: TestJob["spec"]) => (await train(csv, spec)).told;

  it("of two numbers in a regression is remarked on", async () => {
    const csv = table("a,spam", 100, (i) => [i % 9, i % 2]);
    expect(await told(csv, { recipe: "gradient-boosting", target: "spam" })).toMatch(
      /"spam" has two values only, 0 and 1.*--task classification/,
    );
    const codes = table("a,sex", 100, (i) => [i % 9, 1 + (i % 2)]);
    expect(await told(codes, { recipe: "ridge", target: "sex" })).toMatch(/two values only, 1 and 2/);
  });

  it("of measured numbers in a classification is remarked on, or refused where its values hardly come again", async () => {
    const some = table("a,grade", 400, (i) => [i % 9, (i % 40) / 4]);
    expect(await told(some, { recipe: "decision-tree", target: "grade", task: "classification" })).toMatch(
      /"grade" has 40 different numbers with fractions/,
    );
    const prices = table("a,price", 500, (i) => [i % 9, (i % 400) / 100]);
    const refused = train(prices, { recipe: "logistic-regression", target: "price" });
    await expect(refused).rejects.toMatchObject({ code: "FAILED_PRECONDITION", field: "spec.target" });
    await expect(refused).rejects.toThrow(/400 different values in 500 rows/);
  });

  it("with a class of one training row says which", async () => {
    const csv = table("a,y", 100, (i) => [i % 9, i === 50 ? "rare" : i % 2 === 0 ? "p" : "q"]);
    const spec = { recipe: "decision-tree", target: "y", split: { plain: true }, seed: 3n };
    expect(await told(csv, spec)).toMatch(/One class of the target "y" has a single training row.*: rare\./);
  });
});
