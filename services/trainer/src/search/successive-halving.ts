import { type Ranking, rankRuns } from "./leaderboard.ts";
import type { SearchPolicy, TrialPlan, TrialResults, TrialRun } from "./trial.ts";

/** One of so many goes on, with so many times the rows. */
const eta = 3;
/** A rung with fewer training rows would tell little. */
const fewestRows = 150;

/** Scores on a share of the rows, and how many of the trials take part. */
export interface Rung {
  readonly rowsShare: number;
  readonly trials: number;
}

/**
 * Rungs from few rows to all: each has a third of the trials of the one below and three times its rows, so that all cost about the same. As many as trials
 * and rows allow, at least one.
 */
export function planRungs(trials: number, trainRows: number): readonly Rung[] {
  const byTrials = Math.floor(logarithm(trials));
  const byRows = Math.floor(logarithm(trainRows / fewestRows));
  const above = Math.max(0, Math.min(byTrials, byRows));
  return Array.from({ length: above + 1 }, (_, rung) => ({
    rowsShare: 1 / eta ** (above - rung),
    trials: Math.max(1, Math.ceil(trials / eta ** rung)),
  }));
}

/** To the base of eta; the last digits of a power of eta do not count. */
function logarithm(value: number): number {
  return Math.log(Math.max(1, value)) / Math.log(eta) + 1e-9;
}

export interface HalvingOptions {
  readonly trials: readonly TrialPlan[];
  readonly trainRows: number;
  readonly ranking: Ranking;
}

/**
 * Successive halving (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016; eta 3 as in Li et al.,
 * "Hyperband", JMLR 2018): all trials on few rows, the better third on three times as many, and so on to all rows. Rows are the budget.
 */
export function successiveHalving({ trials, trainRows, ranking }: HalvingOptions): SearchPolicy {
  const rungs = planRungs(trials.length, trainRows);
  return {
    most: rungs.reduce((sum, rung) => sum + rung.trials, 0),
    next(results) {
      let taking = trials;
      for (const [index, rung] of rungs.entries()) {
        const runs = taking.map((trial) => ({ trial, rowsShare: rung.rowsShare }));
        const missing = results.missing(runs);
        if (missing.length > 0) return missing;
        taking = better(runs, results, { ranking, most: rungs[index + 1]?.trials ?? 0 });
      }
      return [];
    },
  };
}

/** Trials that go on, in the order of their numbers. */
function better(
  runs: readonly TrialRun[],
  results: TrialResults,
  { ranking, most }: { ranking: Ranking; most: number },
): readonly TrialPlan[] {
  const kept = rankRuns(runs, results, ranking).slice(0, most);
  return kept.map(({ trial }) => trial).sort((a, b) => a.number - b.number);
}
