import type { FinishedRun, TrialRun } from "./trial.ts";

/** Running trials may end until so many times the budget. */
const grace = 1.5;

/** Seconds a search may take. Time is a parameter everywhere. */
export interface Budget {
  /** Infinity: no bound. */
  readonly seconds: number;
}

/** Seconds after which what still runs is cut. */
export function cutAt({ seconds }: Budget): number {
  return seconds * grace;
}

export interface Question {
  /** Seconds since the search began. */
  readonly elapsed: number;
  /** Seconds the trial is expected to take; undefined: unknown. */
  readonly expected: number | undefined;
  /** Whether something runs or has ended otherwise than by failing. */
  readonly hasAny: boolean;
}

/**
 * Whether a trial may begin: within the budget, and only if it can be expected to end before it would be cut. The first one may in any case, so that
 * a search ends with something.
 */
export function mayBegin(budget: Budget, { elapsed, expected, hasAny }: Question): boolean {
  if (!hasAny) return true;
  if (elapsed >= budget.seconds) return false;
  return expected === undefined || elapsed + expected <= cutAt(budget);
}

/**
 * Seconds a run will take, judged by the slowest run of the same recipe: in proportion to its rows when that one saw fewer. Runs that were cut count: it
 * takes at least as long. Undefined when the recipe has not been tried.
 */
export function expectedSeconds(run: TrialRun, finished: readonly FinishedRun[]): number | undefined {
  const same = finished.filter((f) => f.run.trial.recipe === run.trial.recipe && f.outcome.kind !== "failed");
  if (same.length === 0) return undefined;
  return Math.max(...same.map((f) => f.outcome.seconds * Math.max(1, run.rowsShare / f.run.rowsShare)));
}
