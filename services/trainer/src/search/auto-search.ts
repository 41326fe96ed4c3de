import type { GivenParameters } from "../recipes/recipe-parameters.ts";
import { type Ranking, rankRuns } from "./leaderboard.ts";
import { compareScores } from "./search-metric.ts";
import { type SearchSpace, samplePoints } from "./search-space.ts";
import type { SearchPolicy, TrialResults, TrialRun } from "./trial.ts";

/** A recipe that takes part, and where to look for its parameters. */
export interface AutoCandidate {
  readonly recipe: string;
  readonly space: SearchSpace;
}

export interface AutoOptions {
  /** In the order to try them. */
  readonly candidates: readonly AutoCandidate[];
  readonly seed: bigint;
  readonly ranking: Ranking;
  /** Trials at most; undefined: as many as the budget allows, until they bring nothing any more. */
  readonly trials: number | undefined;
  /** Of the rows that the recipes are first compared on; only the best ones see all. 1: all see all. */
  readonly firstShare: number;
}

/** Variations in a round of the best, the second and the third recipe. */
const variations = [3, 2, 1] as const;
/** Without a number of trials the search ends after so many rounds that found nothing better. */
const patience = 3;
const mostTrials = 300;

/**
 * First every recipe as it is (on many rows: on a share of them, then the three best on all), then rounds of variations of the three best ones, more of the better ones. What a round tries depends on the rounds before it
 * alone, so that equal seeds give equal trials when no budget cuts.
 */
export function autoSearch(options: AutoOptions): SearchPolicy {
  const most = options.trials ?? mostTrials;
  const again = options.firstShare < 1 ? variations.length : 0;
  return {
    most: options.trials && options.trials + again,
    next: (results) => new Replay(options, most, results).next(),
  };
}

/** Goes through the rounds again, as far as they have ended. */
class Replay {
  readonly #options: AutoOptions;
  readonly #most: number;
  readonly #results: TrialResults;
  readonly #points: readonly (readonly GivenParameters[])[];
  /** Points of each candidate that were tried. */
  readonly #taken: number[];
  readonly #runs: TrialRun[] = [];
  #begun = 0;
  #fruitless = 0;

  constructor(options: AutoOptions, most: number, results: TrialResults) {
    const { candidates, seed } = options;
    this.#options = options;
    this.#most = most;
    this.#results = results;
    this.#points = candidates.map(({ space }, index) => samplePoints(space, most, seed + BigInt(index)));
    this.#taken = candidates.map(() => 0);
  }

  next(): readonly TrialRun[] {
    const { candidates, firstShare } = this.#options;
    let round = this.#plan(candidates.map((_, index) => [index, 1] as const));
    if (firstShare < 1) {
      const onFew = round.map((run) => ({ ...run, rowsShare: firstShare }));
      const missing = this.#results.missing(onFew);
      if (missing.length > 0) return missing;
      round = this.#bestOnAll(onFew);
    }
    while (round.length > 0 && !this.#isFruitless()) {
      const missing = this.#results.missing(round);
      if (missing.length > 0) return missing;
      this.#fruitless = this.#isBetter(round) ? 0 : this.#fruitless + 1;
      this.#runs.push(...round);
      round = this.#plan(this.#best());
    }
    return [];
  }

  /** New points of candidates, so many of each; fewer when there are no more. */
  #plan(shares: readonly (readonly [candidate: number, count: number])[]): readonly TrialRun[] {
    const runs: TrialRun[] = [];
    for (const [candidate, count] of shares) {
      const from = this.#taken[candidate] as number;
      const fresh = (this.#points[candidate] ?? []).slice(from, from + count);
      this.#taken[candidate] = from + fresh.length;
      const recipe = this.#options.candidates[candidate]?.recipe as string;
      for (const given of fresh) {
        runs.push({ trial: { number: this.#begun + runs.length + 1, recipe, given }, rowsShare: 1 });
      }
    }
    const planned = runs.slice(0, this.#most - this.#begun);
    this.#begun += planned.length;
    return planned;
  }

  /** The best of some runs, again with all rows. */
  #bestOnAll(runs: readonly TrialRun[]): readonly TrialRun[] {
    const ranked = rankRuns(runs, this.#results, this.#options.ranking);
    return ranked.slice(0, variations.length).map((run) => ({ ...run, rowsShare: 1 }));
  }

  #best(): readonly (readonly [candidate: number, count: number])[] {
    const { candidates, ranking } = this.#options;
    const names = new Set(rankRuns(this.#runs, this.#results, ranking).map(({ trial }) => trial.recipe));
    const indices = Array.from(names, (name) => candidates.findIndex(({ recipe }) => recipe === name));
    return variations.flatMap((count, place) => {
      const candidate = indices[place];
      return candidate === undefined ? [] : [[candidate, count] as const];
    });
  }

  #isFruitless(): boolean {
    return this.#options.trials === undefined && this.#fruitless === patience;
  }

  #isBetter(round: readonly TrialRun[]): boolean {
    const [now, before] = [this.#bestScore(round), this.#bestScore(this.#runs)];
    if (now === undefined || before === undefined) return now !== undefined;
    return compareScores(this.#options.ranking.metric, now, before) < 0;
  }

  #bestScore(runs: readonly TrialRun[]): number | undefined {
    const [first] = rankRuns(runs, this.#results, this.#options.ranking);
    const outcome = first && this.#results.outcomeOf(first);
    return outcome?.kind === "scored" ? outcome.score : undefined;
  }
}
