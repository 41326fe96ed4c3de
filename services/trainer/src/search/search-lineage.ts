import { leaderboard } from "./leaderboard.ts";
import type { SearchJob } from "./open-search.ts";
import type { TrialPlan, TrialResults } from "./trial.ts";

/** Lines of a leaderboard that are kept with a version. */
const mostLines = 50;

/** What was looked for and what was tried, best first, for a version's lineage. */
export function searchJson(
  { search, ranking, folds, work }: SearchJob,
  chosen: TrialPlan,
  results: TrialResults,
): string {
  const entries = leaderboard(results, [], ranking);
  const tried = entries.slice(0, mostLines).map(({ trial: { number, recipe, given }, status }) => ({
    trial: number,
    recipe,
    ...given.parameters,
    ...given.choices,
    ...(status.standing !== undefined && { score: status.standing.score, rowsShare: status.standing.rowsShare }),
    state: status.kind,
  }));
  const { method, metric, budgetSeconds } = search;
  const seed = String(work.spec.seed);
  const scoredOn = folds === undefined ? "validation" : `${folds.count} folds`;
  const trials = entries.length;
  return JSON.stringify({ method, metric, scoredOn, budgetSeconds, seed, trials, chosen: chosen.number, tried });
}
