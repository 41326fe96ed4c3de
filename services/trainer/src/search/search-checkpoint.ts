import type { Json } from "@aimass/learn";
import type { GivenParameters } from "../recipes/recipe-parameters.ts";
import { type FinishedRun, type MeasuredFold, type TrialOutcome, TrialResults } from "./trial.ts";

/** What a later attempt needs of a search. */
export interface SearchProgress {
  readonly results: TrialResults;
  /** Seconds the search took so far. */
  readonly seconds: number;
  /** Whether nothing more is to be tried. */
  readonly isOver: boolean;
  /** How often the training of the best began: an attempt that did not end it died meanwhile. */
  readonly begun: number;
}

type StoredRun = {
  readonly number: number;
  readonly recipe: string;
  readonly given: GivenParameters;
  readonly rowsShare: number;
  readonly outcome: TrialOutcome;
};

type Stored = Omit<SearchProgress, "results"> & { readonly finished: readonly StoredRun[] };

export function progressToJson({ results, seconds, isOver, begun }: SearchProgress): Json {
  const finished = results.all.map(({ run, outcome }) => ({
    ...plan(run.trial),
    rowsShare: run.rowsShare,
    outcome: json(outcome),
  }));
  return { seconds, isOver, begun, finished };
}

/** The inverse; undefined stays so. Checkpoints of other specs or data were sorted out before. */
export function progressFromJson(state: Json | undefined): SearchProgress | undefined {
  if (state === undefined) return undefined;
  const { seconds, isOver, begun, finished } = state as unknown as Stored;
  const runs = finished.map(
    ({ rowsShare, outcome, ...trial }): FinishedRun => ({ run: { trial, rowsShare }, outcome }),
  );
  return { results: new TrialResults(runs), seconds, isOver, begun };
}

function plan({ number, recipe, given }: FinishedRun["run"]["trial"]) {
  return { number, recipe, given: { parameters: { ...given.parameters }, choices: { ...given.choices } } };
}

function json(outcome: TrialOutcome) {
  if (outcome.kind !== "scored") return { ...outcome };
  return {
    ...outcome,
    folds: outcome.folds.map(({ rows, metrics }: MeasuredFold) => ({ rows, metrics: { ...metrics } })),
  };
}
