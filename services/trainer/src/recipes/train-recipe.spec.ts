import { AimassError } from "@aimass/core";
import { estimators, type Task } from "@aimass/learn";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { recipes } from "./catalogue.ts";
import { estimatorRecipes } from "./estimator-recipes.ts";
import { trainRecipe } from "./train-recipe.ts";

/** Columns named as constants of the estimators' graphs are, with empty cells; the price follows from three of them. */
function houses(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const [size, old] = [40 + ((i * 37) % 160), i % 3 === 0];
    const city = ["Oslo", "上海", "Lima", "Oslo"][(i * 7) % 4];
    const price = size * 3 + (city === "上海" ? 150 : 0) - (old ? 60 : 0) + ((i * 13) % 11);
    const kind = price > 500 ? "dear" : price > 300 ? "fair" : "cheap";
    return [i % 17 === 0 ? "" : size, i % 19 === 0 ? "" : city, old, price, kind, price > 400 ? 1 : 0].join(",");
  });
  return `weights,classes,means,price,kind,above\n${lines.join("\n")}\n`;
}

interface Options extends Partial<Omit<TestJob, "spec">> {
  readonly name?: string;
  readonly csv?: string;
  readonly task?: Task;
  readonly target?: string;
  readonly features?: string[];
  readonly seed?: bigint;
  readonly parameters?: Record<string, number>;
  readonly spec?: TestJob["spec"];
}

async function train(options: Options = {}) {
  const { name = "decision-tree", csv = houses(300), parameters = {}, task = "classification", ...change } = options;
  const target = change.target ?? (task === "regression" ? "price" : "kind");
  const { features = ["weights", "classes", "means"], seed = 7n, spec } = change;
  const common = { recipe: name, task, target, features, seed, testShare: 0.25, parameters };
  const made = await withJob({ bytes: csv, ...change, spec: { ...common, ...spec } }, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainRecipe(work, data);
  });
  const onnx = made.files.get("model.onnx") ?? expect.fail();
  const inputs = made.inputs.replace(/^Inputs: (.*)\.$/, "$1").split(", ");
  return { ...made, onnx, inputs };
}

const failure = (options: Options) =>
  train(options).then(
    () => expect.fail("it was trained"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(AimassError);
      return error as AimassError;
    },
  );

/** Counts are what multinomial naive Bayes is for; of measured sizes it learns little. */
const leastScore = (name: string) => (name === "naive-bayes-multinomial" ? 0.3 : 0.6);

const cases = estimatorRecipes.flatMap(({ name, tasks }) => tasks.map((task): [string, Task] => [name, task]));

describe("the recipes", () => {
  it("cover every estimator there is, and no two have one name", () => {
    const used = estimatorRecipes.flatMap((recipe) => Object.values(recipe.estimators));
    expect(new Set(used)).toEqual(new Set(estimators));
    expect(new Set(recipes.map(({ name }) => name)).size).toBe(recipes.length);
  });

  it.each(cases)(
    "%s learns a %s from numbers, categories and gaps, checked against its own graph",
    async (name, task) => {
      const { metrics, onnx, inputs, classes, baselineJson, split } = await train({ name, task });
      expect(task === "regression" ? metrics.r2 : metrics.accuracy).toBeGreaterThan(leastScore(name));
      expect(metrics).toHaveProperty(task === "regression" ? "train_mae" : "train_log_loss");
      expect(inputs).toEqual(["weights", "classes", "means"]);
      expect(classes).toEqual(task === "regression" ? [] : ["cheap", "dear", "fair"]);
      expect(JSON.parse(split)).toMatchObject({ algorithm: "exact-1", rows: { train: 225, test: 75 } });
      expect(JSON.parse(baselineJson)).toMatchObject({ rows: 225, features: { classes: { kind: "category" } } });
      const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 });
      expect(session.outputNames).toEqual(task === "regression" ? ["y"] : ["label", "probabilities"]);
      const answer = await session.run({
        weights: new Tensor("float32", [190, Number.NaN], [2]),
        classes: new Tensor("string", ["上海", "nowhere"], [2]),
        means: new Tensor("float32", [0, Number.NaN], [2]),
      });
      if (task === "regression") expect(Number(answer.y?.data[0])).toBeGreaterThan(450);
      else expect(name === "naive-bayes-multinomial" ? "dear" : answer.label?.data[0]).toBe("dear");
      await session.release();
    },
  );

  it("make the same bytes again from the same rows, and others from another seed", async () => {
    const forest = { name: "random-forest", parameters: { trees: 5 } };
    const { onnx } = await train(forest);
    expect((await train(forest)).onnx).toEqual(onnx);
    expect((await train({ ...forest, seed: 8n })).onnx).not.toEqual(onnx);
  });
});

describe("a classification", () => {
  it("of whole numbers answers whole numbers, and of two classes has a ROC-AUC", async () => {
    const { metrics, classes } = await train({ name: "logistic-regression", target: "above" });
    expect(classes).toEqual(["0", "1"]);
    expect(metrics.roc_auc).toBeGreaterThan(0.95);
    expect(metrics.roc_auc).toBeLessThanOrEqual(1);
  });

  it("of truth values answers true and false", async () => {
    const { classes } = await train({ target: "means", features: ["weights", "classes"] });
    expect(classes).toEqual(["false", "true"]);
  });

  it.each([
    [
      "short sentences",
      ["I love this film a lot", "what a wonderful lovely day"],
      ["I hate this film a lot", "what an awful bad day"],
    ],
    ["short Chinese sentences", ["我很喜欢这部电影", "今天天气真好"], ["我讨厌这部电影", "今天天气很糟糕"]],
  ])("of %s in a column that stands alone reads them as text", async (_, good, bad) => {
    const lines = Array.from(
      { length: 60 },
      (_, i) => `${[...good, ...bad][i % 4]} ${i},${i % 4 < 2 ? "good" : "bad"}`,
    );
    const csv = `text,label\n${lines.join("\n")}\n`;
    const { metrics, inputs } = await train({
      name: "naive-bayes-multinomial",
      csv,
      features: ["text"],
      target: "label",
    });
    expect(inputs).toEqual(["text"]);
    expect(metrics.accuracy).toBe(1);
  });
});

describe("data that say nothing", () => {
  it("of one class are refused by its name", async () => {
    const error = await failure({ csv: `a,y\n${"1,yes\n2,yes\n".repeat(10)}`, features: ["a"], target: "y" });
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "ONE_CLASS", field: "spec.target" });
    expect(error.message).toBe('Every row of the training part has the y "yes".');
  });

  it("of constant columns alone are refused, with what was left out", async () => {
    const error = await failure({ csv: `a,y\n${"1,yes\n1,no\n".repeat(10)}`, features: ["a"], target: "y" });
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "NO_FEATURES" });
    expect(error.advice).toContain('Column "a" is left out: it has one value only.');
  });

  it("in one of their columns lose that column and train on", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `5,${i},${i < 20 ? "low" : "high"}`);
    const { inputs, metrics } = await train({ csv: `c,a,y\n${rows.join("\n")}\n`, features: ["c", "a"], target: "y" });
    expect(inputs).toEqual(["a"]);
    expect(metrics.accuracy).toBeGreaterThan(0.8);
  });

  it.each([
    ["no rows", "a,y\n", "INVALID_ARGUMENT"],
    ["one row", "a,y\n1,x\n", "FAILED_PRECONDITION"],
    ["nothing", "", "INVALID_ARGUMENT"],
  ])("because there is %s are refused", async (_, csv, code) => {
    const error = await failure({ csv, features: ["a"], target: "y" });
    expect([code, "FAILED_PRECONDITION"]).toContain(error.code);
    expect(error.message).toMatch(/\.$/);
  });

  it("of the target in some rows are refused with their number", async () => {
    const error = await failure({ csv: "a,y\n1,x\n2,\n3,NA\n4,z\n", features: ["a"], target: "y" });
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", field: "spec.target" });
    expect(error.message).toContain("has 2 empty cells, or cells of a word such as NA that means no value.");
  });

  it("because nearly every class has one row are told apart all the same or refused in a sentence", async () => {
    const csv = `a,y\n${Array.from({ length: 1500 }, (_, i) => `${i},c${i}`).join("\n")}\n`;
    const error = await failure({ csv, features: ["a"], target: "y" });
    expect(error.message).toBe('The target "y" has more than 1000 classes.');
  });

  it("of a regression on text are refused", async () => {
    const error = await failure({ task: "regression", name: "ridge", target: "kind" });
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", field: "spec.target" });
  });
});

describe("columns that are hard to take", () => {
  it("of 100 000 categories are hashed, and the matrix stays sparse", async () => {
    const rows = Array.from({ length: 110_000 }, (_, i) => `item ${i % 100_000},${i % 2 === 0 ? "even" : "odd"}`);
    const csv = `category,kind\n${rows.join("\n")}\n`;
    const { metrics } = await train({ name: "logistic-regression", csv, features: ["category"], target: "kind" });
    expect(metrics.accuracy).toBeGreaterThan(0.4);
  }, 120_000);

  it("of nothing but emoji are texts like others", async () => {
    const moods = ["😀 😃 😄 👍", "😡 😢 👎 💔"];
    const rows = Array.from({ length: 80 }, (_, i) => `${moods[i % 2]} ${["🐶", "🐱", "👩‍🚀"][i % 3]},${i % 2}`);
    const csv = `text,mood\n${rows.join("\n")}\n`;
    const { metrics } = await train({ name: "linear-svm", csv, features: ["text"], target: "mood" });
    expect(metrics.accuracy).toBe(1);
  });
});

it("a training that is cancelled while it fits ends at once", async () => {
  const stop = new AbortController();
  const report = {
    progress: (_: number, doing: string) => void (doing.startsWith("fitting") && stop.abort(new Error("enough"))),
  };
  const training = train({ name: "random-forest", parameters: { trees: 5000 }, report, signal: stop.signal });
  await expect(training).rejects.toThrow("enough");
});

describe("rows that do not fit into memory", () => {
  const small = { memoryBytes: 1024 };

  it.each([
    ["linear", "regression"],
    ["logistic-regression", "classification"],
    ["gradient-boosting", "classification"],
    ["naive-bayes-gaussian", "classification"],
  ] as const)("make the model of %s that they make in memory", async (name, task) => {
    const logs: string[] = [];
    const streamed = await train({ name, task, ...small, report: { log: (line) => void logs.push(line) } });
    expect(logs).toContain("The rows do not fit into memory; they are read from disk for every pass.");
    const { metrics } = await train({ name, task });
    for (const [metric, value] of Object.entries(metrics)) expect(streamed.metrics[metric]).toBeCloseTo(value, 2);
  });

  it("are refused by a recipe that needs them all at once, with what to do", async () => {
    const error = await failure({ name: "k-nearest-neighbours", ...small });
    expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "TOO_LARGE" });
    expect(error.message).toMatch(/^The training part has 225 rows of \d+ features; that is too much for the 0 MiB/);
    expect(error.advice).toContain("a recipe that reads rows from disk");
  });
});

describe("what the spec says of features", () => {
  const towns = Array.from(
    { length: 90 },
    (_, i) => `${["Oslo", "Lima", "Rome", "Rome"][i % 4]},${i % 4 === 1 ? 5 : 9}`,
  );
  const csv = `town,price\n${towns.join("\n")}\n`;
  const priceOf = async (unknownCategories: string) => {
    const spec = {
      data: { unknownCategories },
      featurePlan: { features: [{ kind: { case: "oneHot" as const, value: { column: "town" } } }], only: true },
    };
    const { onnx } = await train({
      name: "linear",
      csv,
      task: "regression",
      features: [],
      spec,
      parameters: { l2: 0 },
    });
    const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 });
    const { y } = await session.run({ town: new Tensor("string", ["Lima", "Rome", "nowhere"], [3]) });
    await session.release();
    return Array.from(y?.data as Float32Array, (value) => Math.round(value * 10) / 10);
  };

  it("decides on a category that training did not see", async () => {
    expect(await priceOf("frequent")).toEqual([5, 9, 9]);
    const [lima, rome, nowhere] = await priceOf("none");
    expect([lima, rome]).toEqual([5, 9]);
    expect(await priceOf("other")).toEqual([lima, rome, nowhere]);
  });

  it("of a text that has to be written out is cut to what fits, and the log says so", async () => {
    const logs: string[] = [];
    const lines = Array.from(
      { length: 300 },
      (_, i) => `${Array.from({ length: 9 }, (_, w) => `w${(i * 31 + w * 17) % 997}`).join(" ")},${i % 2}`,
    );
    const text = { name: "decision-tree", csv: `text,y\n${lines.join("\n")}\n`, features: ["text"], target: "y" };
    await train({ ...text, report: { log: (line) => void logs.push(line) } });
    expect(logs).toContain('Text "text" is cut to its 1000 most frequent terms: this recipe writes every cell out.');
    expect(logs.join("\n")).toContain("1000 features");
  });
});
