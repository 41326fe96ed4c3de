import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandWords, duration } from "./arguments.ts";
import { checkComplete, type JobFlags, withFlags } from "./job-flags.ts";

const empty = create(JobSpecSchema);
const json = (spec: JobSpec) => toJson(JobSpecSchema, spec);

describe("flags of a job", () => {
  it.each<[JobFlags, JsonValue]>([
    [{}, { project: "default", recipe: "linear" }],
    [
      { model: "bank.fraud", dataset: "bank.cards" },
      { project: "bank", recipe: "linear", model: "fraud", dataset: "cards" },
    ],
    [
      { recipe: "auto", budget: "2m", cv: "5" },
      { project: "default", recipe: "auto", search: { budgetSeconds: 120 }, folds: 5 },
    ],
    [
      { search: "halving", trials: "30", parallel: "2", searchMetric: "roc_auc" },
      {
        project: "default",
        recipe: "linear",
        search: { method: "halving", trials: 30, parallel: 2, metric: "roc_auc" },
      },
    ],
    [{ split: "stratified:kind" }, { project: "default", recipe: "linear", split: { stratifyBy: "kind" } }],
    [{ split: "grouped:a:b" }, { project: "default", recipe: "linear", split: { groupBy: "a:b" } }],
    [
      { split: "time:day", validation: "0.1" },
      { project: "default", recipe: "linear", split: { timeBy: "day", validationShare: 0.1 } },
    ],
    [{ split: "plain" }, { project: "default", recipe: "linear", split: { plain: true } }],
    [
      { gate: ["accuracy=0.9", "macro_f1=0.8"], maxLatency: "5ms" },
      {
        project: "default",
        recipe: "linear",
        gate: { metric: "accuracy", bound: 0.9 },
        gates: [
          { metric: "macro_f1", bound: 0.8 },
          { metric: "latency_ms", bound: 5 },
        ],
      },
    ],
    [
      { betterThan: "default" },
      { project: "default", recipe: "linear", gate: { metric: "r2", betterThan: "default" } },
    ],
    [
      { betterThan: "default", recipe: "random-forest", gate: ["macro_f1=0.5"] },
      {
        project: "default",
        recipe: "random-forest",
        gate: { metric: "macro_f1", bound: 0.5 },
        gates: [{ metric: "macro_f1", betterThan: "default" }],
      },
    ],
    [
      { betterThan: "default", recipe: "random-forest" },
      { project: "default", recipe: "random-forest", gate: { betterThan: "default" } },
    ],
    [
      { betterThan: "live:log_loss=0.01", alias: "live" },
      {
        project: "default",
        recipe: "linear",
        gate: { metric: "log_loss", bound: 0.01, betterThan: "live" },
        alias: "live",
      },
    ],
    [
      { notWorseThan: "live", maxLatency: "5 ms" },
      {
        project: "default",
        recipe: "linear",
        gate: { metric: "r2", betterThan: "live", orEqual: true },
        gates: [{ metric: "latency_ms", bound: 5 }],
      },
    ],
    [
      { missing: "drop", duplicates: "refuse", priority: "-5", timeLimit: "10m" },
      {
        project: "default",
        recipe: "linear",
        data: { missing: "drop", duplicates: "refuse" },
        priority: -5,
        timeLimitSeconds: 600,
      },
    ],
    [
      { command: "python3 train.py --name 'a b'" },
      { project: "default", script: { command: ["python3", "train.py", "--name", "a b"] } },
    ],
    [
      { param: ["l2=1", "classWeights=balanced"] },
      { project: "default", recipe: "linear", parameters: { l2: 1 }, choices: { classWeights: "balanced" } },
    ],
  ])("%j", (flags, expected) => {
    expect(json(withFlags(empty, flags))).toEqual(expected);
  });

  it("take the place of what the file says, and leave the rest and the file's own message alone", () => {
    const file = fromJson(JobSpecSchema, {
      project: "bank",
      recipe: "ridge",
      parameters: { l2: 1, tolerance: 2 },
      split: { groupBy: "house", validationShare: 0.2 },
      gate: { metric: "r2", bound: 0.5 },
      gates: [{ metric: "mae", bound: 3 }],
    });
    const before = json(file);
    const spec = withFlags(file, { param: ["l2=9"], split: "time:day", gate: ["r2=0.7"] });
    expect(json(spec)).toEqual({
      project: "bank",
      recipe: "ridge",
      parameters: { l2: 9, tolerance: 2 },
      split: { timeBy: "day", validationShare: 0.2 },
      gate: { metric: "r2", bound: 0.7 },
    });
    expect(json(file)).toEqual(before);
  });

  it.each<[JobFlags, RegExp]>([
    [{ split: "grouped" }, /--split is "grouped".*grouped:COLUMN/],
    [{ split: "sideways:a" }, /--split is "sideways:a"/],
    [{ timeLimit: "0s" }, /--time-limit is 0s\..*a time above 0/],
    [{ search: "random", budget: "0m" }, /--budget is 0m\..*a time above 0/],
    [{ budget: "soon" }, /--budget is "soon".*60s/],
    [{ search: "grid" }, /--search is "grid".*random or halving/],
    [{ missing: "ignore" }, /--missing is "ignore".*impute, drop or refuse/],
    [{ cv: "1" }, /--cv is "1".*whole number from 2/],
    [{ gate: ["accuracy"] }, /"accuracy" is not a pair/],
    [{ notWorseThan: "default:r2=1" }, /--not-worse-than is "default:r2=1".*default:accuracy/],
    [{ maxLatency: "5" }, /--max-latency is "5", without a unit.*5ms or 5s/],
    [{ betterThan: "default=1" }, /--better-than is "default=1".*default:accuracy=0\.01/],
    [{ model: "a.m", dataset: "b.d" }, /The dataset is in project b, the model in a/],
    [{ command: "python3 'train.py" }, /--command ends inside quotes/],
    [{ command: " " }, /--command is empty/],
    [{ testShare: "" }, /--test-share is ""/],
    [{ testShare: "0" }, /--test-share is 0\. Give a share of the rows above 0/],
  ])("that make no sense are refused by name: %j", (flags, sentence) => {
    expect(() => withFlags(empty, flags)).toThrow(expect.objectContaining({ advice: expect.stringMatching(sentence) }));
  });

  it("and file together must say dataset, target and model", () => {
    const full = { dataset: "d", target: "t", model: "m" };
    expect(() => checkComplete(withFlags(empty, full))).not.toThrow();
    for (const name of Object.keys(full))
      expect(() => checkComplete(withFlags(empty, { ...full, [name]: undefined }))).toThrow(
        expect.objectContaining({ advice: expect.stringContaining(`--${name}`) }),
      );
  });
});

describe("arguments", () => {
  it.each([
    ["500ms", 0.5],
    ["60s", 60],
    ["1.5m", 90],
    ["2h", 7200],
    ["1d", 86_400],
    ["30", 30],
  ])("a time of %s is %d seconds", (text, seconds) => {
    expect(duration("--x", text)).toBeCloseTo(seconds, 10);
  });

  it("of a command are those of a shell", () => {
    expect(commandWords("--command", `python3  a\\ b.py "x \\"y\\" z" 'it'"'s" ''`)).toEqual([
      "python3",
      "a b.py",
      'x "y" z',
      "it's",
      "",
    ]);
  });

  it("of a command come back from single quotes, whatever they hold", () => {
    const word = fc.string({ unit: "binary" }).map((text) => text.replaceAll("'", ""));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        expect(commandWords("--command", words.map((text) => `'${text}'`).join(" "))).toEqual(words);
      }),
    );
  });
});
