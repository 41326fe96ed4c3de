import type { TrainingData } from "../data/training-data.ts";
import { summarised } from "../evaluation/cross-validation.ts";
import type { ReportInit } from "../evaluation/evaluate.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import type { Reporter } from "../recipes/recipe.ts";
import { type GivenParameters, resolveParameters } from "../recipes/recipe-parameters.ts";
import { type Budget, cutAt } from "./budget.ts";
import { type LeaderboardEntry, leaderboard, type Ranking, trialMessage, winner } from "./leaderboard.ts";
import type { SearchState } from "./run-search.ts";
import type { TrialResults, TrialRun } from "./trial.ts";

/** Lines of a leaderboard that stay with a job. */
const mostLines = 500;

export interface SearchReportOptions {
  readonly report: Reporter;
  readonly data: TrainingData;
  readonly ranking: Ranking;
  readonly budget: Budget;
  /** Runs there will be at most; undefined: nobody knows. */
  readonly most: number | undefined;
  /** Whether trials are scored on folds. */
  readonly isFolded: boolean;
}

/** Tells how a search goes: progress, a line for each trial, the best score as a curve, and the leaderboard. */
export class SearchReport {
  readonly #options: SearchReportOptions;
  /** Share of its folds that each running trial has done. */
  readonly #folds = new Map<TrialRun, number>();
  #seconds = 0;
  #ended = 0;
  #best = "";

  constructor(options: SearchReportOptions) {
    this.#options = options;
  }

  changed({ results, active, seconds, ended }: SearchState): void {
    const { report, ranking } = this.#options;
    const entries = leaderboard(results, active, ranking);
    this.#seconds = seconds;
    this.#ended = results.all.length;
    const best = winner(entries);
    if (ended !== undefined) {
      this.#folds.delete(ended);
      report.log(this.#line(ended, results));
      if (best?.status.standing !== undefined) report.metric("best_score", this.#ended, best.status.standing.score);
    }
    if (best !== undefined) this.#best = `, best ${ranking.metric.name} ${standingText(best)} by ${best.trial.recipe}`;
    report.evaluated({
      ...this.#base(),
      ...knownOf(best, results, this.#options.isFolded),
      leaderboard: boardOf(entries),
    });
    this.#progress();
  }

  fold(run: TrialRun, done: number, folds: number): void {
    this.#folds.set(run, done / folds);
    this.#progress();
  }

  /** What the winner's report begins with. */
  known(results: TrialResults): { metrics: Record<string, number>; report: ReportInit } {
    const entries = leaderboard(results, [], this.#options.ranking);
    const { metrics, folds } = knownOf(winner(entries), results, this.#options.isFolded);
    return { metrics, report: { ...this.#base(), folds, leaderboard: boardOf(entries) } };
  }

  #base() {
    const { data } = this.#options;
    return {
      task: data.task,
      trainRows: BigInt(data.rows.train),
      validationRows: BigInt(data.rows.validation),
      testRows: BigInt(data.rows.test),
    };
  }

  #progress(): void {
    const { report, budget, most } = this.#options;
    const running = [...this.#folds.values()].reduce((sum, share) => sum + share, 0);
    const byRuns = most === undefined ? 0 : (this.#ended + running) / Math.max(1, most);
    const byTime = Number.isFinite(budget.seconds) ? this.#seconds / cutAt(budget) : 0;
    const of = most === undefined ? "" : ` of ${most}`;
    const doing = `trial ${this.#ended + 1}${of}${this.#best}`;
    if (most === undefined) report.progress(Math.max(byRuns, byTime), doing);
    else report.progress(Math.max(byRuns, byTime), doing, { step: this.#ended, steps: most });
  }

  #line(run: TrialRun, results: TrialResults): string {
    const outcome = results.outcomeOf(run);
    const { number, recipe, given } = run.trial;
    const share = run.rowsShare < 1 ? ` on ${Number((run.rowsShare * 100).toPrecision(2))} % of the rows` : "";
    const used = resolveParameters(getRecipe(recipe), this.#options.data.task, given);
    const what = `trial ${number}: ${recipe}${parametersText(used)}${share}`;
    if (outcome?.kind === "failed") return `${what} failed: ${outcome.reason}`;
    if (outcome?.kind !== "scored") return `${what} was cut: the budget is used up.`;
    const { name } = this.#options.ranking.metric;
    const deviation = outcome.folds.length > 1 ? ` ± ${rounded(outcome.deviation)}` : "";
    return `${what}: ${name} ${rounded(outcome.score)}${deviation} in ${rounded(outcome.seconds)} s`;
  }
}

/** "cv_r2" … and the folds of a trial; empty without one. */
function knownOf(entry: LeaderboardEntry | undefined, results: TrialResults, isFolded: boolean) {
  const standing = entry?.status.standing;
  const outcome = standing && results.outcomeOf({ trial: entry.trial, rowsShare: standing.rowsShare });
  if (outcome?.kind !== "scored" || !isFolded) return { metrics: {}, folds: [] };
  const folds = outcome.folds.map(({ rows, metrics }, index) => ({
    fold: index + 1,
    rows: BigInt(rows),
    metrics: { ...metrics },
  }));
  return { metrics: summarised(folds), folds };
}

function boardOf(entries: readonly LeaderboardEntry[]) {
  return entries.slice(0, mostLines).map(trialMessage);
}

function standingText({ status }: LeaderboardEntry): string {
  return status.standing === undefined ? "" : rounded(status.standing.score);
}

/** "" for none, else " (l2 0.5, votes distance)". */
export function parametersText({ parameters, choices }: GivenParameters): string {
  const all = Object.entries({ ...parameters, ...choices }).map(([name, value]) => `${name} ${value}`);
  return all.length === 0 ? "" : ` (${all.join(", ")})`;
}

function rounded(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
