import { TrialState } from "@aimass/api/trainer";
import { describe, expect, it } from "vitest";
import { leaderboard, trialMessage, winner } from "./leaderboard.ts";
import { type FinishedRun, type TrialOutcome, TrialResults, type TrialRun } from "./trial.ts";

const up = { metric: { name: "r2", lowerIsBetter: false }, simplest: ["ridge", "random-forest"] };
const down = { ...up, metric: { name: "rmse", lowerIsBetter: true } };

function run(number: number, rowsShare = 1, recipe = "ridge"): TrialRun {
  return { trial: { number, recipe, given: { parameters: { l2: number }, choices: {} } }, rowsShare };
}

const scored = (score: number): TrialOutcome => ({ kind: "scored", score, deviation: 0.1, folds: [], seconds: 2 });
const board = (finished: FinishedRun[], active: TrialRun[] = [], ranking = up) =>
  leaderboard(new TrialResults(finished), active, ranking);
const numbers = (entries: ReturnType<typeof board>) => entries.map(({ trial }) => trial.number);

describe("the order of a leaderboard", () => {
  it("is by score, of errors the smallest first", () => {
    const finished = [0.5, 0.9, 0.7].map((score, i) => ({ run: run(i + 1), outcome: scored(score) }));
    expect(numbers(board(finished))).toEqual([2, 3, 1]);
    expect(numbers(board(finished, [], down))).toEqual([1, 3, 2]);
  });

  it("puts scores on all rows before better ones on a few", () => {
    const finished = [
      { run: run(1, 1 / 3), outcome: scored(0.99) },
      { run: run(2, 1 / 3), outcome: scored(0.8) },
      { run: run(2, 1), outcome: scored(0.85) },
    ];
    expect(numbers(board(finished))).toEqual([2, 1]);
    expect(winner(board(finished))?.trial.number).toBe(2);
  });

  it("puts the simpler recipe first when scores are equal, then the earlier trial", () => {
    const finished = [
      { run: run(1, 1, "random-forest"), outcome: scored(0.9) },
      { run: run(3), outcome: scored(0.9 + 1e-12) },
      { run: run(2), outcome: scored(0.9) },
    ];
    expect(numbers(board(finished))).toEqual([2, 3, 1]);
  });

  it("puts those without a score last", () => {
    const finished: FinishedRun[] = [
      { run: run(1), outcome: { kind: "failed", reason: "no", seconds: 1 } },
      { run: run(2), outcome: { kind: "cut", seconds: 1 } },
      { run: run(3), outcome: scored(-5) },
    ];
    expect(numbers(board(finished, [run(4)]))).toEqual([3, 1, 2, 4]);
    expect(winner(board(finished.slice(0, 2)))).toBeUndefined();
  });
});

describe("a trial as a message", () => {
  const messageOf = (finished: FinishedRun[], active: TrialRun[] = []) => {
    const entry = board(finished, active).find(({ trial }) => trial.number === 1) ?? expect.fail();
    return trialMessage(entry);
  };

  it("that ended has its score, all of its seconds and its parameters", () => {
    const finished = [
      { run: run(1, 1 / 3), outcome: scored(0.5) },
      { run: run(1, 1), outcome: scored(0.75) },
    ];
    expect(messageOf(finished)).toEqual({
      number: 1,
      recipe: "ridge",
      parameters: { l2: 1 },
      choices: {},
      score: 0.75,
      scoreDeviation: 0.1,
      rowsShare: 1,
      seconds: 4,
      state: TrialState.DONE,
      reason: "",
    });
  });

  it.each([
    { what: "runs", finished: [], active: [run(1)], state: TrialState.RUNNING, score: undefined, reason: "" },
    {
      what: "runs on more rows",
      finished: [{ run: run(1, 1 / 3), outcome: scored(0.5) }],
      active: [run(1)],
      state: TrialState.RUNNING,
      score: 0.5,
      reason: "",
    },
    {
      what: "was dropped",
      finished: [
        { run: run(1, 1 / 3), outcome: scored(0.5) },
        { run: run(2, 1), outcome: scored(0.5) },
      ],
      active: [],
      state: TrialState.DROPPED,
      score: 0.5,
      reason: "Others were better on 33 % of the rows.",
    },
    {
      what: "failed",
      finished: [{ run: run(1), outcome: { kind: "failed" as const, reason: "Why.", seconds: 1 } }],
      active: [],
      state: TrialState.FAILED,
      score: undefined,
      reason: "Why.",
    },
    {
      what: "was cut after a score on fewer rows",
      finished: [
        { run: run(1, 1 / 3), outcome: scored(0.5) },
        { run: run(1), outcome: { kind: "cut" as const, seconds: 1 } },
      ],
      active: [],
      state: TrialState.CUT,
      score: 0.5,
      reason: "The budget was used up while it ran.",
    },
  ])("that $what says so", ({ finished, active, state, score, reason }) => {
    const message = messageOf(finished, active);
    expect(message).toMatchObject({ state, reason });
    expect(message.score).toBe(score);
  });
});
