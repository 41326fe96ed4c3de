import { type SearchSpace, samplePoints } from "./search-space.ts";
import type { SearchPolicy, TrialPlan } from "./trial.ts";

/**
 * Random search (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012): one round of trials, the first with the parameters as
 * given.
 */
export function randomSearch(trials: readonly TrialPlan[]): SearchPolicy {
  const runs = trials.map((trial) => ({ trial, rowsShare: 1 }));
  return { most: runs.length, next: (results) => results.missing(runs) };
}

/** Trials over the parameters of one recipe. */
export function trialsOf(recipe: string, space: SearchSpace, o: { count: number; seed: bigint }): TrialPlan[] {
  return samplePoints(space, o.count, o.seed).map((given, index) => ({ number: index + 1, recipe, given }));
}
