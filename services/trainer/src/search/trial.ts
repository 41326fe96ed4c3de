import type { GivenParameters } from "../recipes/recipe-parameters.ts";

/** One thing to try: a recipe and every parameter that is not at its default. */
export interface TrialPlan {
  /** From 1, in the order they are planned. */
  readonly number: number;
  readonly recipe: string;
  readonly given: GivenParameters;
}

/** One scoring of a trial. Halving scores a trial more than once, on more rows each time. */
export interface TrialRun {
  readonly trial: TrialPlan;
  /** Of the training rows it may see, above 0 to 1. */
  readonly rowsShare: number;
}

/** All metrics of some rows that a fit did not see. */
export interface MeasuredFold {
  readonly rows: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** How a run ended. */
export type TrialOutcome =
  | {
      readonly kind: "scored";
      /** The search's metric: mean over folds, or on the validation part. */
      readonly score: number;
      /** Over folds; 0 for one measurement. */
      readonly deviation: number;
      /** What was measured on each fold; one, when it was the validation part. */
      readonly folds: readonly MeasuredFold[];
      readonly seconds: number;
    }
  | { readonly kind: "failed"; readonly reason: string; readonly seconds: number }
  /** The budget was used up while it ran. */
  | { readonly kind: "cut"; readonly seconds: number };

/** A run and how it ended. */
export interface FinishedRun {
  readonly run: TrialRun;
  readonly outcome: TrialOutcome;
}

/** What has come out so far, in the order of ending. A trial is scored at most once for each share of rows. */
export class TrialResults {
  readonly #finished = new Map<string, FinishedRun>();

  constructor(finished: Iterable<FinishedRun> = []) {
    for (const one of finished) this.add(one);
  }

  add(finished: FinishedRun): void {
    this.#finished.set(keyOf(finished.run), finished);
  }

  outcomeOf(run: TrialRun): TrialOutcome | undefined {
    return this.#finished.get(keyOf(run))?.outcome;
  }

  /** Those of `runs` that have not ended. */
  missing(runs: readonly TrialRun[]): readonly TrialRun[] {
    return runs.filter((run) => this.outcomeOf(run) === undefined);
  }

  get all(): readonly FinishedRun[] {
    return [...this.#finished.values()];
  }
}

function keyOf({ trial, rowsShare }: TrialRun): string {
  return `${trial.number} ${rowsShare}`;
}

/** Decides what is tried next. A pure function of what came out: equal results give equal rounds, whatever the order of ending. */
export interface SearchPolicy {
  /** How many runs there will be at most; undefined: as many as bring something. */
  readonly most: number | undefined;
  /** Runs of the round that has not ended, without those that have; empty: the search is over. */
  next(results: TrialResults): readonly TrialRun[];
}
