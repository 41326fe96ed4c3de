import { readFileSync } from "node:fs";
import { TrialSchema, TrialState } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import type { MadeModel } from "../worker/job-work.ts";
import { trainBySearch } from "./search-way.ts";
import { planeCsv, recorder, ringCsv, type Told } from "./testing.ts";

type Options = Pick<TestJob, "checkpoint" | "threads" | "format">;

interface Searched {
  readonly made: MadeModel;
  readonly told: Told;
}

/** Runs a search as a worker does. */
async function searched(bytes: TestJob["bytes"], spec: TestJob["spec"], options: Options = {}): Promise<Searched> {
  const { told, report } = recorder();
  const made = await withJob({ bytes, spec, report, threads: 2, ...options }, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainBySearch(work, data);
  });
  return { made, told };
}

const trialsOf = ({ made }: Searched) => (made.report.leaderboard ?? []).map((t) => create(TrialSchema, t));
/** What must be equal between equal searches: all but the time. */
const essence = (s: Searched) => trialsOf(s).map(({ seconds: _, ...trial }) => trial);

const ring = { task: "classification", target: "side" };
const plane = { task: "regression", target: "y" };
const quick = { importanceRepeats: 1 };

function messages(): string {
  const starts = {
    greeting: ["How are you today", "Good morning my friend", "你好吗今天过得怎么样", "早上好我的朋友"],
    complaint: ["My parcel has not arrived", "The screen is broken again", "我的包裹还没有到", "屏幕又坏了我要退款"],
  };
  const endings = ["", "!", " please", " Anna", " 谢谢", " 王先生", " team", "。"];
  const rows = Object.entries(starts).flatMap(([kind, texts]) =>
    texts.flatMap((text) => endings.map((ending) => `${text}${ending},${kind}`)),
  );
  return `text,kind\n${rows.join("\n")}\n`;
}

describe("auto", { timeout: 180_000 }, () => {
  it("finds the recipe that suits a table, tells its leaderboard all the while, and says what it left out", async () => {
    const found = await searched(ringCsv(500), {
      recipe: "auto",
      ...ring,
      ...quick,
      search: { trials: 10, budgetSeconds: 600 },
    });
    const { made, told } = found;
    const board = trialsOf(found);
    expect(made.metrics.accuracy).toBeGreaterThan(0.8);
    expect(made.metrics.cv_macro_f1).toBeCloseTo(board[0]?.score ?? 0);
    expect(made.report.folds).toHaveLength(3);
    expect(board).toHaveLength(10);
    expect(board.map(({ score = -1 }) => score)).toEqual(
      [...board.map(({ score = -1 }) => score)].sort((a, b) => b - a),
    );
    expect(board.find(({ recipe }) => recipe === "logistic-regression")?.score).toBeLessThan(0.8);
    expect(made.chosen?.recipe).toBe(board[0]?.recipe);
    expect(made.chosen?.parameters).toMatchObject(board[0]?.parameters ?? {});
    expect(JSON.parse(made.howJson ?? "")).toMatchObject({ trials: 10, chosen: board[0]?.number, metric: "macro_f1" });
    expect(told.lines.join("\n")).toMatch(/naive-bayes-multinomial is not tried: it is for counts of words/);
    expect(told.lines.join("\n")).toMatch(/The best of 10 trials: trial \d+, /);
    const growing = told.reports.map(({ leaderboard = [] }) => leaderboard.length);
    expect(growing.slice(0, 10)).toEqual([...growing.slice(0, 10)].sort((a, b) => a - b));
    const best = told.points.filter(({ name }) => name === "best_score").map(({ value }) => value);
    expect(best).toHaveLength(10);
    expect(best).toEqual([...best].sort((a, b) => a - b));
    const fractions = told.progress.filter(({ doing }) => doing.startsWith("trial")).map(({ fraction }) => fraction);
    expect(Math.max(...fractions)).toBeGreaterThan(0.5);
  });

  it("predicts a number, and equal seeds try the same and choose the same", async () => {
    const spec = { recipe: "auto", ...plane, ...quick, search: { trials: 9, budgetSeconds: 300 } };
    const first = await searched(planeCsv(300), spec, { threads: 2 });
    const again = await searched(planeCsv(300), spec, { threads: 1 });
    expect(first.made.metrics.r2).toBeGreaterThan(0.95);
    expect(essence(again)).toEqual(essence(first));
    expect(again.made.chosen).toEqual(first.made.chosen);
    expect(Buffer.from(again.made.files.get("model.onnx") ?? [])).toEqual(
      Buffer.from(first.made.files.get("model.onnx") ?? [1]),
    );
  });

  it("tells texts in two languages apart", async () => {
    const spec = {
      recipe: "auto",
      task: "classification",
      target: "kind",
      ...quick,
      search: { trials: 4, budgetSeconds: 600 },
    };
    const found = await searched(messages(), spec);
    expect(found.made.metrics.accuracy).toBeGreaterThan(0.9);
    const recipes = new Set(trialsOf(found).map(({ recipe }) => recipe));
    expect(recipes).toContain("naive-bayes-multinomial");
    expect(recipes).not.toContain("random-forest");
  });

  it("tells pictures apart", async () => {
    const digits = readFileSync(new URL("../../../cli/data/digits.zip", import.meta.url));
    const spec = {
      recipe: "auto",
      task: "classification",
      target: "label",
      ...quick,
      search: { trials: 3, budgetSeconds: 600 },
    };
    const found = await searched(digits, spec, { format: "image-zip" });
    expect(found.made.metrics.accuracy).toBeGreaterThan(0.9);
  });

  it("by halving drops the weak on few rows", async () => {
    const search = {
      method: "halving",
      trials: 9,
      budgetSeconds: 600,
      recipes: ["logistic-regression", "gradient-boosting"],
    };
    const found = await searched(ringCsv(900), { recipe: "auto", ...ring, ...quick, search });
    const board = trialsOf(found);
    expect(board[0]).toMatchObject({ recipe: "gradient-boosting", state: TrialState.DONE, rowsShare: 1 });
    expect(board.some(({ state, rowsShare }) => state === TrialState.DROPPED && rowsShare < 1)).toBe(true);
    expect(new Set(board.map(({ recipe }) => recipe))).toEqual(new Set(search.recipes));
  });

  it("whose budget is too short for any trial still leaves a model, and says how it was chosen", async () => {
    const startedAt = performance.now();
    const { made, told } = await searched(ringCsv(300), {
      recipe: "auto",
      ...ring,
      ...quick,
      search: { budgetSeconds: 0.001 },
    });
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(made.chosen?.recipe).toBe("logistic-regression");
    expect(told.warnings.join()).toMatch(/chosen without a comparison/);
    expect(made.report.leaderboard?.[0]).toMatchObject({ state: TrialState.CUT });
  });

  it("keeps its budget", async () => {
    const startedAt = performance.now();
    const { made, told } = await searched(ringCsv(2000), {
      recipe: "auto",
      ...ring,
      ...quick,
      search: { budgetSeconds: 6 },
    });
    expect(performance.now() - startedAt).toBeLessThan(3 * 6000 + 15_000);
    // On a machine that is busy with something else no trial may end in time; that is said.
    const compared = told.lines.some((line) => line.startsWith("The best of"));
    if (compared) expect(made.metrics.accuracy).toBeGreaterThan(0.5);
    else expect(told.warnings.join()).toMatch(/chosen without a comparison/);
  });
});

describe("a search for parameters", { timeout: 180_000 }, () => {
  const bad = { parameters: { l2: 1e5 } };
  const ranges = { l2: { from: 1e-4, to: 1e5, scale: "log" } };

  it.each([
    { method: "random", rows: 300 },
    { method: "halving", rows: 1200 },
  ])("by $method finds a better l2 than the bad one it begins with", async ({ method, rows }) => {
    const spec = { recipe: "ridge", ...plane, ...quick, ...bad, search: { method, trials: 10, ranges } };
    const found = await searched(planeCsv(rows), spec);
    const board = trialsOf(found);
    const first = board.find(({ number }) => number === 1) ?? expect.fail();
    expect(first.parameters).toEqual({ l2: 1e5 });
    expect(first.score).toBeLessThan(0.5);
    expect(board[0]?.score).toBeGreaterThan(0.95);
    expect(found.made.chosen?.parameters.l2).toBe(board[0]?.parameters.l2);
    expect(found.made.chosen?.parameters.l2).toBeLessThan(1000);
    expect(found.made.metrics.r2).toBeGreaterThan(0.95);
  });

  it("scores on the validation part when there is one", async () => {
    const spec = {
      recipe: "ridge",
      ...plane,
      ...quick,
      split: { validationShare: 0.2 },
      search: { trials: 3, metric: "rmse" },
    };
    const found = await searched(planeCsv(300), spec);
    const board = trialsOf(found);
    expect(board[0]?.scoreDeviation).toBe(0);
    expect(board[0]?.score).toBeLessThanOrEqual(board[2]?.score ?? 0);
    expect(found.made.metrics.cv_r2).toBeUndefined();
    expect(found.made.metrics.validation_rmse).toBeGreaterThan(0);
  });

  it("that was interrupted goes on from its checkpoint without repeating trials", async () => {
    const spec = { recipe: "ridge", ...plane, ...quick, search: { trials: 6, parallel: 1 } };
    const whole = await searched(planeCsv(300), spec);
    const stop = new AbortController();
    const { told, report } = recorder();
    const dying = {
      ...report,
      metric: (_: string, step: number) => void (step === 3 && stop.abort(new Error("It dies."))),
    };
    const job = { bytes: planeCsv(300), spec, report: dying, threads: 2, signal: stop.signal };
    const died = withJob(job, async (work) => {
      await using data = await TrainingData.open(work);
      return await trainBySearch(work, data);
    });
    await expect(died).rejects.toThrow("It dies.");
    const checkpoint = told.checkpoints.at(-1) ?? expect.fail();
    const resumed = await searched(planeCsv(300), spec, { checkpoint });
    expect(resumed.told.lines.join("\n")).toMatch(/[23] trials are known from an earlier attempt/);
    expect(resumed.told.lines.filter((line) => /^trial 1:/.test(line))).toEqual([]);
    expect(resumed.told.lines.filter((line) => /^trial \d:/.test(line)).length).toBeLessThanOrEqual(4);
    expect(essence(resumed)).toEqual(essence(whole));
    expect(resumed.made.chosen).toEqual(whole.made.chosen);
  });

  it("that dies while the best is trained does not search again", async () => {
    const spec = { recipe: "gradient-boosting", ...plane, ...quick, search: { trials: 3 } };
    const first = await searched(planeCsv(300), spec);
    const resumed = await searched(planeCsv(300), spec, { checkpoint: first.told.checkpoints.at(-1) ?? expect.fail() });
    expect(resumed.told.lines.filter((line) => /^trial \d+:/.test(line))).toEqual([]);
    expect(essence(resumed)).toEqual(essence(first));
    expect(resumed.made.chosen).toEqual(first.made.chosen);
  });

  it("whose worker died twice while the best was trained takes the second best", async () => {
    const spec = { recipe: "ridge", ...plane, ...quick, search: { trials: 3 } };
    const first = await searched(planeCsv(300), spec);
    const again = async (before: Searched) =>
      searched(planeCsv(300), spec, { checkpoint: before.told.checkpoints.at(-1) ?? expect.fail() });
    const third = await again(await again(first));
    expect(first.made.chosen?.parameters).toMatchObject(trialsOf(first)[0]?.parameters ?? {});
    expect(JSON.parse(third.made.howJson ?? "").chosen).toBe(trialsOf(first)[1]?.number);
  });

  it("in which every trial fails says why", async () => {
    const csv = `a,y\n${Array.from({ length: 40 }, (_, i) => `1,${i % 2 === 0 ? "x" : "y"}`).join("\n")}\n`;
    const spec = { recipe: "decision-tree", task: "classification", target: "y", search: { trials: 2 } };
    await expect(searched(csv, spec)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NO_TRIAL",
      message: expect.stringMatching(/None of 2 trials.*No column is left/),
    });
  });
});
