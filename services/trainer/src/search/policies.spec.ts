import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simplestRecipes } from "./auto-candidates.ts";
import { autoSearch } from "./auto-search.ts";
import { leaderboard, winner } from "./leaderboard.ts";
import { interleave } from "./plan-search.ts";
import { randomSearch } from "./random-search.ts";
import type { SearchSpace } from "./search-space.ts";
import { planRungs, successiveHalving } from "./successive-halving.ts";
import { type SearchPolicy, TrialResults, type TrialRun } from "./trial.ts";

const ranking = { metric: { name: "r2", lowerIsBetter: false }, simplest: simplestRecipes };
const space: SearchSpace = {
  dimensions: [{ kind: "number", name: "l2", scale: "linear", from: 0, to: 1 }],
  given: { parameters: {}, choices: {} },
};
const wordSpace: SearchSpace = {
  dimensions: [{ kind: "words", name: "votes", words: ["equal", "distance"] }],
  given: { parameters: {}, choices: {} },
};

/** Plays a policy to its end with a scoring of one's own; gives back every run in the order it was asked for. */
function play(
  policy: SearchPolicy,
  score: (run: TrialRun) => number | undefined,
  order = (runs: readonly TrialRun[]) => runs,
) {
  const results = new TrialResults();
  const asked: TrialRun[] = [];
  for (let round = policy.next(results); round.length > 0; round = policy.next(results)) {
    asked.push(...round);
    for (const run of order(round)) {
      const value = score(run);
      results.add({
        run,
        outcome:
          value === undefined
            ? { kind: "failed", reason: "no", seconds: 1 }
            : { kind: "scored", score: value, deviation: 0, folds: [], seconds: 1 },
      });
    }
    if (asked.length > 5000) expect.fail("the search does not end");
  }
  return { asked, results };
}

const nearHalf = ({ trial }: TrialRun) => -Math.abs((trial.given.parameters.l2 ?? 1) - 0.5);

describe("random search", () => {
  it("scores each trial once on all rows, the defaults first", () => {
    const { asked } = play(randomSearch(interleave([{ recipe: "ridge", space }], 20, 1n)), nearHalf);
    expect(asked.map(({ trial }) => trial.number)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(asked.every(({ rowsShare }) => rowsShare === 1)).toBe(true);
    expect(asked[0]?.trial.given.parameters).toEqual({});
  });

  it("asks only for what has not ended", () => {
    const policy = randomSearch(interleave([{ recipe: "ridge", space }], 5, 1n));
    const [first = expect.fail()] = policy.next(new TrialResults());
    const results = new TrialResults([{ run: first, outcome: { kind: "cut", seconds: 1 } }]);
    expect(policy.next(results).map(({ trial }) => trial.number)).toEqual([2, 3, 4, 5]);
  });
});

describe("rungs", () => {
  it.each([
    {
      trials: 27,
      rows: 1e6,
      rungs: [
        [1 / 27, 27],
        [1 / 9, 9],
        [1 / 3, 3],
        [1, 1],
      ],
    },
    {
      trials: 20,
      rows: 1e6,
      rungs: [
        [1 / 9, 20],
        [1 / 3, 7],
        [1, 3],
      ],
    },
    {
      trials: 20,
      rows: 500,
      rungs: [
        [1 / 3, 20],
        [1, 7],
      ],
    },
    { trials: 20, rows: 100, rungs: [[1, 20]] },
    { trials: 2, rows: 1e6, rungs: [[1, 2]] },
    { trials: 1, rows: 1e6, rungs: [[1, 1]] },
  ])("of $trials trials over $rows rows", ({ trials, rows, rungs }) => {
    expect(planRungs(trials, rows).map((rung) => [rung.rowsShare, rung.trials])).toEqual(rungs);
  });

  it("cost about the same each and end with all rows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 1e7 }), (trials, rows) => {
        const rungs = planRungs(trials, rows);
        expect(rungs.at(-1)?.rowsShare).toBe(1);
        for (const rung of rungs)
          expect(rung.rowsShare * rung.trials).toBeLessThanOrEqual((rungs[0]?.rowsShare ?? 0) * trials + 1);
      }),
    );
  });
});

describe("successive halving", () => {
  const halving = (count: number) =>
    successiveHalving({ trials: interleave([{ recipe: "ridge", space }], count, 3n), trainRows: 1e6, ranking });

  it("keeps the better third for three times the rows, and the best is scored on all", () => {
    const { asked, results } = play(halving(27), nearHalf);
    const by = Map.groupBy(asked, ({ rowsShare }) => rowsShare);
    expect([...by.values()].map((runs) => runs.length)).toEqual([27, 9, 3, 1]);
    const best = [...asked.slice(0, 27)].sort((a, b) => nearHalf(b) - nearHalf(a))[0];
    const entries = leaderboard(results, [], ranking);
    expect(entries[0]?.trial).toBe(best?.trial);
    expect(entries[0]?.status.kind).toBe("done");
    expect(entries.filter(({ status }) => status.kind === "dropped")).toHaveLength(26);
  });

  it("does not go on with trials that failed", () => {
    const { asked } = play(halving(9), (run) => (run.trial.number % 2 === 0 ? undefined : nearHalf(run)));
    expect(asked.filter(({ rowsShare }) => rowsShare > 1 / 9).every(({ trial }) => trial.number % 2 === 1)).toBe(true);
  });

  it("ends when all trials failed", () => {
    const { asked, results } = play(halving(9), () => undefined);
    expect(asked).toHaveLength(9);
    expect(winner(leaderboard(results, [], ranking))).toBeUndefined();
  });
});

describe("auto", () => {
  const candidates = ["ridge", "gradient-boosting", "random-forest", "lasso"].map((recipe) => ({ recipe, space }));
  const score = (run: TrialRun) => nearHalf(run) + candidates.findIndex(({ recipe }) => recipe === run.trial.recipe);

  it("tries every recipe as it is first, then variations of the three best, more of the better ones", () => {
    const { asked } = play(autoSearch({ candidates, seed: 1n, ranking, firstShare: 1, trials: 16 }), score);
    expect(asked.slice(0, 4).map(({ trial }) => trial.recipe)).toEqual(candidates.map(({ recipe }) => recipe));
    expect(asked.slice(0, 4).every(({ trial }) => Object.keys(trial.given.parameters).length === 0)).toBe(true);
    const later = asked.slice(4, 10).map(({ trial }) => trial.recipe);
    expect(later).toEqual(["lasso", "lasso", "lasso", "random-forest", "random-forest", "gradient-boosting"]);
    expect(asked).toHaveLength(16);
    expect(asked.map(({ trial }) => trial.number)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
  });

  it("without a number of trials ends when three rounds found nothing better", () => {
    const { asked } = play(autoSearch({ candidates, seed: 1n, ranking, firstShare: 1, trials: undefined }), () => 0.5);
    expect(asked).toHaveLength(4 + 3 * 6);
  });

  it("ends when there is nothing more to try", () => {
    const small = [{ recipe: "k-nearest-neighbours", space: wordSpace }];
    expect(
      play(autoSearch({ candidates: small, seed: 1n, ranking, firstShare: 1, trials: 50 }), () => 1).asked.length,
    ).toBeLessThanOrEqual(3);
  });

  it("compares recipes on a share of many rows first, and the three best on all", () => {
    const policy = autoSearch({ candidates, seed: 1n, ranking, firstShare: 0.25, trials: 8 });
    const { asked, results } = play(policy, score);
    const seen = asked.map(({ trial, rowsShare }) => [trial.number, rowsShare]);
    expect(seen.slice(0, 7)).toEqual([
      [1, 0.25],
      [2, 0.25],
      [3, 0.25],
      [4, 0.25],
      [4, 1],
      [3, 1],
      [2, 1],
    ]);
    expect(seen.slice(7)).toEqual([
      [5, 1],
      [6, 1],
      [7, 1],
      [8, 1],
    ]);
    expect(asked.length).toBe(policy.most);
    const entries = leaderboard(results, [], ranking);
    expect(entries.at(-1)).toMatchObject({ trial: { recipe: "ridge" }, status: { kind: "dropped" } });
  });

  it("goes on with the recipes that work when others fail", () => {
    const { asked } = play(autoSearch({ candidates, seed: 1n, ranking, firstShare: 1, trials: 12 }), (run) =>
      run.trial.recipe === "ridge" ? nearHalf(run) : undefined,
    );
    expect(asked.slice(4).every(({ trial }) => trial.recipe === "ridge")).toBe(true);
  });

  it("tries the same in whatever order trials end, and after a part of them was done before", () => {
    const policy = () => autoSearch({ candidates, seed: 8n, ranking, firstShare: 1, trials: 30 });
    const whole = play(policy(), score);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 29 }), fc.boolean(), (done, reversed) => {
        const order = (runs: readonly TrialRun[]) => (reversed ? [...runs].reverse() : runs);
        expect(play(policy(), score, order).asked).toEqual(whole.asked);
        const results = new TrialResults(whole.results.all.slice(0, done));
        const [next] = policy().next(results);
        expect(next).toEqual(whole.asked[done]);
      }),
      { numRuns: 30 },
    );
  });
});
