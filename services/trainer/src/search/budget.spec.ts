import { describe, expect, it } from "vitest";
import { cutAt, expectedSeconds, mayBegin } from "./budget.ts";
import type { FinishedRun, TrialOutcome, TrialRun } from "./trial.ts";

const budget = { seconds: 60 };

describe("whether a trial may begin", () => {
  it.each([
    {
      elapsed: 59,
      expected: undefined,
      hasAny: true,
      answer: true,
      why: "there is time, and nobody knows how long it takes",
    },
    { elapsed: 60, expected: undefined, hasAny: true, answer: false, why: "the budget is used up" },
    { elapsed: 10, expected: 80, hasAny: true, answer: true, why: "it ends just before it would be cut" },
    { elapsed: 10, expected: 81, hasAny: true, answer: false, why: "it would be cut" },
    { elapsed: 100, expected: 1000, hasAny: false, answer: true, why: "it is the only one" },
  ])("$answer when $why", ({ answer, elapsed, expected, hasAny }) => {
    expect(mayBegin(budget, { elapsed, expected, hasAny })).toBe(answer);
  });

  it("is always so without a bound", () => {
    expect(mayBegin({ seconds: Number.POSITIVE_INFINITY }, { elapsed: 1e9, expected: 1e9, hasAny: true })).toBe(true);
    expect(cutAt({ seconds: Number.POSITIVE_INFINITY })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("how long a run will take", () => {
  const run = (recipe: string, rowsShare = 1): TrialRun => ({
    trial: { number: 1, recipe, given: { parameters: {}, choices: {} } },
    rowsShare,
  });
  const finished = (
    recipe: string,
    rowsShare: number,
    seconds: number,
    kind: TrialOutcome["kind"] = "scored",
  ): FinishedRun => {
    const outcomes = {
      scored: { kind: "scored", score: 1, deviation: 0, folds: [], seconds },
      failed: { kind: "failed", reason: "", seconds },
      cut: { kind: "cut", seconds },
    } as const;
    return { run: run(recipe, rowsShare), outcome: outcomes[kind] };
  };

  it.each([
    { past: [], expected: undefined, what: "unknown before anything ran" },
    { past: [finished("ridge", 1, 5)], expected: undefined, what: "unknown when only other recipes ran" },
    { past: [finished("lasso", 1, 5), finished("lasso", 1, 7)], expected: 7, what: "that of the slowest so far" },
    { past: [finished("lasso", 1 / 3, 5)], expected: 15, what: "in proportion to the rows" },
    { past: [finished("lasso", 1, 1, "failed")], expected: undefined, what: "not judged by trials that failed" },
    { past: [finished("lasso", 1, 30, "cut")], expected: 30, what: "at least what a cut one took" },
  ])("$what", ({ past, expected }) => {
    const seconds = expectedSeconds(run("lasso"), past);
    if (expected === undefined) expect(seconds).toBeUndefined();
    else expect(seconds).toBeCloseTo(expected);
  });
});
