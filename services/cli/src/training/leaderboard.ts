import { type Trial, TrialState } from "@aimass/api/trainer";
import { bar, numberTable, percent, short } from "../output/charts.ts";
import { enumName } from "../output/format.ts";

/** What was tried, best first. */
export function leaderboardLines(trials: readonly Trial[]): string[] {
  const scores = trials.flatMap(({ score }) => (score === undefined ? [] : [score]));
  const [worst, best] = [Math.min(...scores), Math.max(...scores)];
  const share = (score: number) => (best > worst ? 0.1 + (0.9 * (score - worst)) / (best - worst) : 1);
  return numberTable(
    ["TRIAL", "RECIPE", "SCORE", "±", "SECONDS", "ROWS", "STATE", "", "PARAMETERS"],
    trials.map((t) => [
      String(t.number),
      t.recipe,
      short(t.score),
      t.score === undefined ? "-" : short(t.scoreDeviation),
      t.seconds.toFixed(1),
      percent(t.rowsShare),
      enumName(TrialState, t.state).toLowerCase(),
      t.score === undefined ? "" : bar(share(t.score), 12),
      t.reason === "" ? describeParameters(t) : t.reason,
    ]),
  );
}

function describeParameters({ parameters, choices }: Trial): string {
  const numbers = Object.entries(parameters).map(([name, value]) => `${name}=${short(value)}`);
  return [...numbers, ...Object.entries(choices).map(([name, word]) => `${name}=${word}`)].join(" ");
}
