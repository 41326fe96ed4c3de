import { type Trial, TrialState } from "@aimass/api/trainer";
import { bar, numberTable, percent, short } from "../output/charts.ts";
import { enumName } from "../output/format.ts";

/** What was tried, best first. */
export function leaderboardLines(trials: readonly Trial[]): string[] {
  const share = shares(trials);
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

/** How near a score is to the best of all, 0.1–1. Of an error such as log_loss the smallest is the best: the order of trials with equal rows tells. */
function shares(trials: readonly Trial[]): (score: number) => number {
  const scored = trials.filter((trial) => trial.score !== undefined);
  const scores = scored.map(({ score }) => score as number);
  const widest = scored
    .filter(({ rowsShare }) => rowsShare === scored[0]?.rowsShare)
    .map(({ score }) => score as number);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const isError = (widest[0] ?? 0) < (widest.at(-1) ?? 0);
  const [worst, best] = isError ? [high, low] : [low, high];
  return (score) => (best === worst ? 1 : 0.1 + (0.9 * (score - worst)) / (best - worst));
}

function describeParameters({ parameters, choices }: Trial): string {
  const numbers = Object.entries(parameters).map(([name, value]) => `${name}=${short(value)}`);
  return [...numbers, ...Object.entries(choices).map(([name, word]) => `${name}=${word}`)].join(" ");
}
