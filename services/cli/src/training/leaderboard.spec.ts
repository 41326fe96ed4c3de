import { TrialSchema, TrialState } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { leaderboardLines } from "./leaderboard.ts";

/** How long the bars of trials with these scores are. */
function bars(...scores: readonly number[]): number[] {
  const trials = scores.map((score, i) =>
    create(TrialSchema, { number: i + 1, recipe: "ridge", score, rowsShare: 1, state: TrialState.DONE }),
  );
  return leaderboardLines(trials)
    .slice(1)
    .map((line) => line.match(/█/g)?.length ?? 0);
}

it.each([
  ["of a score", [0.9, 0.8, 0.1]],
  ["of an error", [0.1, 0.2, 0.9]],
])("the bar %s is longest for the best and shortest for the worst", (_, scores) => {
  const [best = 0, second = 0, worst = 0] = bars(...scores);
  expect(best).toBe(12);
  expect(second).toBeGreaterThan(worst);
  expect(worst).toBe(1);
});

it("equal scores have equal bars", () => {
  expect(bars(0.5, 0.5)).toEqual([12, 12]);
});
