import type { SearchPolicy, TrialPlan } from "./trial.ts";

/**
 * Random search (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012): one round of trials, the first where the space begins.
 */
export function randomSearch(trials: readonly TrialPlan[]): SearchPolicy {
  const runs = trials.map((trial) => ({ trial, rowsShare: 1 }));
  return { most: runs.length, next: (results) => results.missing(runs) };
}
