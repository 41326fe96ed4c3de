import { ColumnSchema, ColumnType, DatasetVersionSchema } from "@aimass/api/registry";
import { JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { checkSpec, fitSpec } from "./job-spec.ts";

const dataset = create(DatasetVersionSchema, {
  project: "default",
  dataset: "d",
  version: 3n,
  rows: 100n,
  columns: [
    { name: "a", type: ColumnType.NUMBER },
    { name: "b", type: ColumnType.NUMBER },
    { name: "city", type: ColumnType.STRING },
    { name: "holes", type: ColumnType.NUMBER, missing: 4n },
    { name: "y", type: ColumnType.NUMBER },
  ],
});

type Init = Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;
const good: Init = { recipe: "linear", dataset: "d", target: "y", model: "m", features: ["a", "b"] };
const boosting: Init = { recipe: "gradient-boosting", features: [] };
const resolve = (change: Init) => fitSpec(checkSpec(create(JobSpecSchema, { ...good, ...change })), dataset);

describe("a job's spec", () => {
  it("of classes that are called as words for no value says how to keep them", () => {
    const smoking = create(DatasetVersionSchema, {
      ...{ dataset: "d", rows: 100n },
      columns: [
        { name: "a", type: ColumnType.NUMBER },
        { name: "smoking", type: ColumnType.STRING, missing: 30n },
      ],
    });
    const spec = checkSpec(create(JobSpecSchema, { ...good, ...boosting, target: "smoking" }));
    expect(() => fitSpec(spec, smoking)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("30 empty cells, or cells of a word such as NA that means no value"),
        remedy: expect.stringContaining("push the file with --only-missing ''"),
      }),
    );
  });

  it("of a feature that no model can be asked for is refused before it trains, other odd names are not", () => {
    const names = ["__proto__", "constructor", "toString", "y"];
    const odd = create(DatasetVersionSchema, {
      ...{ dataset: "d", rows: 100n },
      columns: names.map((name) => ({ name, type: ColumnType.NUMBER })),
    });
    const fit = (features: string[]) => fitSpec(checkSpec(create(JobSpecSchema, { ...good, features })), odd);
    for (const features of [[], ["__proto__"]]) {
      expect(() => fit(features)).toThrow(
        expect.objectContaining({
          code: "FAILED_PRECONDITION",
          message: expect.stringContaining('The column "__proto__" cannot be a feature'),
          remedy: expect.stringContaining("--rename __proto__=proto"),
        }),
      );
    }
    expect(fit(["constructor", "toString"]).features).toEqual(["constructor", "toString"]);
  });

  it.each<[string, number, string, string]>([
    ["accuracy", 2, "", "from 0 to 1"],
    ["roc_auc", -0.1, "", "from 0 to 1"],
    ["macro_f1", 1.01, "live", "from 0 to 1"],
    ["r2", 1.5, "", "at most 1"],
    ["rmse", -1, "", "of 0 or more"],
    ["mae", -0.5, "", "of 0 or more"],
    ["log_loss", -1, "", "of 0 or more"],
    ["latency_ms", 0, "", "above 0"],
  ])(
    "with a gate of %s that nothing can pass, or everything does (%d), is refused with its range",
    (metric, bound, betterThan, range) => {
      const spec = create(JobSpecSchema, { ...good, recipe: "ridge", gates: [{ metric, bound, betterThan }] });
      expect(() => checkSpec(spec)).toThrow(
        expect.objectContaining({
          field: "spec.gates[0].bound",
          message: expect.stringContaining(`${metric}`),
          remedy: expect.stringContaining(range),
        }),
      );
    },
  );

  it.each([
    ["accuracy", 1, ""],
    ["accuracy", 0, ""],
    ["r2", -3, ""],
    ["r2", 1, ""],
    ["rmse", 0, ""],
    ["r2", 4, "live"],
    ["latency_ms", 0, "live"],
  ])("with a gate of %s that something may pass (%d) is taken", (metric, bound, betterThan) => {
    const spec = create(JobSpecSchema, { ...good, recipe: "ridge", gates: [{ metric, bound, betterThan }] });
    expect(checkSpec(spec).gates).toHaveLength(1);
  });

  it("of more features than can be used says what to do at the push", () => {
    const names = [...Array.from({ length: 2001 }, (_, i) => `gene_${i}`), "target"];
    const wide = create(DatasetVersionSchema, {
      ...{ dataset: "d", rows: 100n },
      columns: names.map((name) => ({ name, type: ColumnType.NUMBER })),
    });
    const spec = checkSpec(create(JobSpecSchema, { ...good, features: [], target: "target" }));
    expect(() => fitSpec(spec, wide)).toThrow(
      expect.objectContaining({
        message: "There are 2001 features; at most 2000 can be used.",
        remedy: expect.stringContaining("aimass datasets push --columns or --without"),
      }),
    );
    const called = checkSpec(create(JobSpecSchema, { ...good, features: ["y"], target: "a" }));
    expect(fitSpec(called, dataset).features).toEqual(["y"]);
  });

  it("gets its defaults, its version and every parameter", () => {
    expect(resolve({})).toMatchObject({
      project: "default",
      datasetVersion: 3n,
      testShare: 0.2,
      parameters: { l2: 1 },
    });
  });

  it("of the recipe for numbers takes every number column, with gaps too, unless others are named", () => {
    expect(resolve({ features: [] }).features).toEqual(["a", "b", "holes"]);
    expect(resolve({ features: ["a", "city"] }).features).toEqual(["a", "city"]);
  });

  it("of the recipe for numbers names one that reads words where there are no numbers", () => {
    const columns = dataset.columns.filter(({ name }) => ["y", "city"].includes(name));
    const table = create(DatasetVersionSchema, { ...dataset, columns });
    const init = { dataset: "d", target: "y", model: "m", recipe: "linear" };
    const remedyOf = () => {
      try {
        return fitSpec(checkSpec(create(JobSpecSchema, init)), table).recipe;
      } catch (error) {
        return (error as AimassError).advice;
      }
    };
    expect(remedyOf()).toMatch(/no number column.*Categories and texts are features of --recipe ridge/);
  });

  it("takes no ids and no columns that decide on the split unless they are named", () => {
    const columns = [
      { name: "row", type: ColumnType.NUMBER, looks: "id" },
      { name: "customer", type: ColumnType.STRING, looks: "category" },
      { name: "day", type: ColumnType.STRING, looks: "date" },
      ...dataset.columns,
    ];
    const table = create(DatasetVersionSchema, { ...dataset, columns: columns.map((c) => create(ColumnSchema, c)) });
    const featuresOf = (change: Init) => {
      const init = { dataset: "d", target: "y", model: "m", recipe: "ridge", ...change };
      return fitSpec(checkSpec(create(JobSpecSchema, init)), table);
    };
    expect(featuresOf({}).features).toEqual(["customer", "day", "a", "b", "city", "holes"]);
    expect(featuresOf({}).usualFeatures).toBe(true);
    const all = ["a", "b", "city", "holes"];
    expect(featuresOf({ split: { groupBy: "customer" } }).features).toEqual(["day", ...all]);
    expect(featuresOf({ split: { stratifyBy: "customer" } }).features).toEqual(["day", ...all]);
    expect(featuresOf({ split: { timeBy: "day" } }).features).toEqual(["customer", ...all]);
    expect(featuresOf({ recipe: "auto", split: { timeBy: "a" } }).features).not.toContain("a");
    const named = featuresOf({ split: { groupBy: "customer" }, features: ["customer", "row"] });
    expect(named).toMatchObject({ features: ["customer", "row"], usualFeatures: false });
    const value = { column: "customer" };
    const features = [{ kind: { case: "oneHot" as const, value } }];
    expect(featuresOf({ split: { groupBy: "customer" }, featurePlan: { features } }).features).toContain("customer");
    const few = create(DatasetVersionSchema, { ...dataset, columns: [table.columns[2], table.columns[7]] as never });
    const init = { dataset: "d", target: "y", model: "m", recipe: "ridge", split: { timeBy: "day" } };
    expect(fitSpec(checkSpec(create(JobSpecSchema, init)), few).features).toEqual(["day"]);
  });

  it("suggests what a mistyped recipe, column or parameter may mean", () => {
    const remedyOf = (change: Init) => {
      try {
        return String(resolve(change));
      } catch (error) {
        return (error as AimassError).remedy;
      }
    };
    expect(remedyOf({ recipe: "random_forrest" })).toMatch(/^Did you mean random-forest\? Use one of: auto, /);
    expect(remedyOf({ recipe: "naive-bayes" })).toMatch(/^Did you mean naive-bayes-/);
    expect(remedyOf({ recipe: "xgboost" })).toMatch(/^Use one of: /);
    expect(remedyOf({ features: ["citi"] })).toMatch(/^Did you mean city\? It has: /);
    expect(remedyOf({ recipe: "gradient-boosting", parameters: { learning_rate: 0.1 } })).toMatch(
      /^Did you mean learningRate\? /,
    );
    const search = { recipes: ["lineer"] };
    expect(remedyOf({ recipe: "auto", search })).toMatch(/^Did you mean linear\? Use some of: /);
  });

  it("names the flag beside the field of a file, since most people gave the flag", () => {
    expect(() => resolve({ testShare: 0.9 })).toThrow(/test_share \(--test-share\) is 0\.9/);
    expect(() => resolve({ folds: 99 })).toThrow(/folds \(--cv\) is 99/);
    expect(() => resolve({ target: "holes", features: ["a"] })).toThrow(/4 empty cells/);
    const advice = (() => {
      try {
        return String(resolve({ target: "holes", features: ["a"] }));
      } catch (error) {
        return (error as AimassError).advice;
      }
    })();
    expect(advice).toContain("--missing-target drop");
  });

  it("with classes that hardly come again is refused with what to do", () => {
    const price = create(ColumnSchema, { name: "price", type: ColumnType.NUMBER, distinct: 90n });
    const table = create(DatasetVersionSchema, { ...dataset, columns: [...dataset.columns, price] });
    const init = { dataset: "d", target: "price", model: "m", recipe: "logistic-regression" };
    expect(() => fitSpec(checkSpec(create(JobSpecSchema, init)), table)).toThrow(/90 different values in 100 rows/);
  });

  it("with features by hand that are all has their columns alone, and numbers beside them where it takes numbers", () => {
    const features = [{ kind: { case: "oneHot" as const, value: { column: "city" } } }];
    expect(resolve({ features: [], featurePlan: { features, only: true } }).features).toEqual(["city"]);
    expect(resolve({ features: [], featurePlan: { features } }).features).toEqual(["a", "b", "city", "holes"]);
  });

  it("of a script has the task its target suggests and every column", () => {
    const script = resolve({ recipe: "", features: [], target: "city", script: { command: ["python3", "train.py"] } });
    expect(script).toMatchObject({ task: "classification", features: ["a", "b", "holes", "y"], parameters: {} });
  });

  it("with a target that has gaps is taken when those rows are to be left out", () => {
    expect(resolve({ target: "holes", features: ["a"], data: { missingTarget: "drop" } }).target).toBe("holes");
  });

  it("of a recipe for both tasks takes the one its target suggests, or the one it is told", () => {
    const forest: Init = { recipe: "random-forest", features: ["a", "holes"] };
    expect(resolve(forest)).toMatchObject({ task: "regression", choices: { features: "all" } });
    expect(resolve({ ...forest, target: "city" })).toMatchObject({
      task: "classification",
      choices: { features: "sqrt", classWeights: "none" },
      parameters: { trees: 100 },
    });
    expect(resolve({ ...forest, task: "classification" }).task).toBe("classification");
    expect(resolve({ recipe: "logistic-regression", features: [], target: "city" }).features).toEqual([
      "a",
      "b",
      "holes",
      "y",
    ]);
  });

  it.each<[string, Init, string, string]>([
    ["an unknown recipe", { recipe: "magic" }, "NOT_FOUND", "spec.recipe"],
    ["an unknown parameter", { parameters: { l3: 1 } }, "INVALID_ARGUMENT", 'spec.parameters["l3"]'],
    ["a parameter out of bounds", { parameters: { l2: -1 } }, "INVALID_ARGUMENT", 'spec.parameters["l2"]'],
    ["a parameter that is no number", { parameters: { l2: Number.NaN } }, "INVALID_ARGUMENT", 'spec.parameters["l2"]'],
    ["a share out of bounds", { testShare: 0.9 }, "INVALID_ARGUMENT", "spec.test_share"],
    ["a gate on something else", { gate: { metric: "luck", bound: 1 } }, "INVALID_ARGUMENT", "spec.gate.metric"],
    ["a model's name with a slash", { model: "a/b" }, "INVALID_ARGUMENT", "spec.model"],
    ["no target", { target: "" }, "INVALID_ARGUMENT", "spec.target"],
    ["a target that is not there", { target: "z" }, "FAILED_PRECONDITION", "spec.target"],
    ["a target of text", { target: "city" }, "FAILED_PRECONDITION", "spec.target"],
    [
      "a split by a column that is not there",
      { split: { groupBy: "z" } },
      "FAILED_PRECONDITION",
      "spec.split.group_by",
    ],
    [
      "a split by time and by groups",
      { split: { groupBy: "a", timeBy: "b" } },
      "INVALID_ARGUMENT",
      "spec.split.time_by",
    ],
    [
      "hardly a row to train with",
      { testShare: 0.5, split: { validationShare: 0.5 } },
      "INVALID_ARGUMENT",
      "spec.split.validation_share",
    ],
    ["an unknown policy", { data: { missing: "ignore" } }, "INVALID_ARGUMENT", "spec.data.missing"],
    ["one fold", { folds: 1 }, "INVALID_ARGUMENT", "spec.folds"],
    ["a priority out of bounds", { priority: 101 }, "INVALID_ARGUMENT", "spec.priority"],
    ["an alias of digits", { alias: "12" }, "INVALID_ARGUMENT", "spec.alias"],
    ["a second gate on something else", { gates: [{ metric: "luck" }] }, "INVALID_ARGUMENT", "spec.gates[0].metric"],
    [
      "a gate that wants to be worse",
      { gates: [{ metric: "r2", bound: -1, betterThan: "stable" }] },
      "INVALID_ARGUMENT",
      "spec.gates[0].bound",
    ],
    [
      "features by hand of a column that is not there",
      { featurePlan: { features: [{ kind: { case: "hash", value: { column: "z" } } }] } },
      "INVALID_ARGUMENT",
      "spec.feature_plan.features[0].hash.column",
    ],
    [
      "features by hand of the wrong type",
      {
        features: [],
        recipe: "ridge",
        featurePlan: { features: [{ kind: { case: "bucket", value: { column: "city" } } }] },
      },
      "INVALID_ARGUMENT",
      "spec.feature_plan.features[0].bucket.column",
    ],
    [
      "an unknown scale",
      { featurePlan: { features: [{ kind: { case: "number", value: { column: "a", scale: "huge" } } }] } },
      "INVALID_ARGUMENT",
      "spec.feature_plan.features[0].number.scale",
    ],
    [
      "a gap filled with a number that may be negative, where none may be",
      {
        recipe: "naive-bayes-multinomial",
        target: "city",
        featurePlan: { features: [{ kind: { case: "number", value: { column: "a", impute: "3" } } }] },
      },
      "INVALID_ARGUMENT",
      "spec.feature_plan.features[0].number.impute",
    ],
    [
      "too few buckets",
      { featurePlan: { features: [{ kind: { case: "bucket", value: { column: "a", buckets: 1 } } }] } },
      "INVALID_ARGUMENT",
      "spec.feature_plan.features[0].bucket.buckets",
    ],
    [
      "half a cross",
      {
        featurePlan: {
          features: [
            { kind: { case: "cross", value: { left: { kind: { case: "bucket", value: { column: "a" } } } } } },
          ],
        },
      },
      "INVALID_ARGUMENT",
      "spec.feature_plan.features[0].cross.right",
    ],
    [
      "a script with folds",
      { recipe: "", script: { command: ["python3"] }, folds: 3 },
      "INVALID_ARGUMENT",
      "spec.folds",
    ],
    ["a script beside a recipe", { script: { command: ["python3"] } }, "INVALID_ARGUMENT", "spec.recipe"],
    ["the target as feature", { features: ["a", "y"] }, "INVALID_ARGUMENT", "spec.features"],
    ["a feature twice", { features: ["a", "a"] }, "INVALID_ARGUMENT", "spec.features"],
    ["a task the recipe does not do", { task: "classification" }, "INVALID_ARGUMENT", "spec.task"],
    ["a task that is none", { recipe: "random-forest", task: "luck" }, "INVALID_ARGUMENT", "spec.task"],
    ["a regression on text", { recipe: "ridge", target: "city" }, "FAILED_PRECONDITION", "spec.target"],
    ["a target with empty cells", { ...boosting, target: "holes" }, "FAILED_PRECONDITION", "spec.target"],
    ["a feature that is not there", { ...boosting, features: ["z"] }, "FAILED_PRECONDITION", "spec.features[0]"],
    [
      "half a tree",
      { recipe: "random-forest", parameters: { trees: 1.5 } },
      "INVALID_ARGUMENT",
      'spec.parameters["trees"]',
    ],
    ["a number as word", { ...boosting, choices: { l2: "1" } }, "INVALID_ARGUMENT", 'spec.choices["l2"]'],
    [
      "a word as number",
      { ...boosting, parameters: { classWeights: 1 } },
      "INVALID_ARGUMENT",
      'spec.parameters["classWeights"]',
    ],
    [
      "an unknown word",
      { ...boosting, choices: { classWeights: "odd" } },
      "INVALID_ARGUMENT",
      'spec.choices["classWeights"]',
    ],
    [
      "a parameter of the other task",
      { ...boosting, features: ["a"], choices: { classWeights: "balanced" } },
      "INVALID_ARGUMENT",
      'spec.choices["classWeights"]',
    ],
    [
      "a gate of the other task",
      { ...boosting, features: ["a"], gate: { metric: "accuracy", bound: 1 } },
      "INVALID_ARGUMENT",
      "spec.gate.metric",
    ],
  ])("with %s is refused", (_, change, code, field) => {
    try {
      resolve(change);
      expect.fail("it was taken");
    } catch (error) {
      expect(error).toBeInstanceOf(AimassError);
      expect(error).toMatchObject({ code, field });
    }
  });
});
