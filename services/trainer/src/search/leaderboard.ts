import { type TrialSchema, TrialState } from "@aimass/api/trainer";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { compareScores, type SearchMetric } from "./search-metric.ts";
import type { FinishedRun, TrialPlan, TrialResults, TrialRun } from "./trial.ts";

/** How trials are compared. */
export interface Ranking {
  readonly metric: SearchMetric;
  /** How simple a recipe's models are, simplest first: decides between equal scores. */
  readonly simplest: readonly string[];
}

/** The score of a trial and the share of rows it was measured with. */
export interface Standing {
  readonly score: number;
  readonly deviation: number;
  readonly rowsShare: number;
}

/** Where a trial is. `standing` is its score on the most rows so far. */
export type TrialStatus =
  | { readonly kind: "running"; readonly standing?: Standing }
  | { readonly kind: "done"; readonly standing: Standing }
  | { readonly kind: "dropped"; readonly standing: Standing }
  | { readonly kind: "failed"; readonly standing?: Standing; readonly reason: string }
  | { readonly kind: "cut"; readonly standing?: Standing };

/** A line of the leaderboard. */
export interface LeaderboardEntry {
  readonly trial: TrialPlan;
  readonly status: TrialStatus;
  /** Over all of its runs. */
  readonly seconds: number;
}

/** Scores that differ by less are equal: what different orders of adding up make of them. */
const equalWithin = 1e-9;

/** Scored runs, best first; those that are equal, the simpler one first. Others are left out. */
export function rankRuns(runs: readonly TrialRun[], results: TrialResults, ranking: Ranking): readonly TrialRun[] {
  const scored = runs.flatMap((run) => {
    const outcome = results.outcomeOf(run);
    return outcome?.kind === "scored" ? [{ run, score: outcome.score, trial: run.trial }] : [];
  });
  return scored.sort((a, b) => compare(ranking, a, b)).map(({ run }) => run);
}

/** What is known of every trial that began, best first: more rows before fewer, then by score; those without a score last. */
export function leaderboard(
  results: TrialResults,
  running: readonly TrialRun[],
  ranking: Ranking,
): readonly LeaderboardEntry[] {
  const finished = Map.groupBy(results.all, ({ run }) => run.trial.number);
  const active = new Map(running.map((run) => [run.trial.number, run]));
  const widest = Math.max(0, ...results.all.map(({ run }) => run.rowsShare));
  const plans = new Map([...results.all.map(({ run }) => run), ...running].map((r) => [r.trial.number, r.trial]));
  const entries = [...plans.values()].map((trial): LeaderboardEntry => {
    const runs = finished.get(trial.number) ?? [];
    const seconds = runs.reduce((sum, { outcome }) => sum + outcome.seconds, 0);
    return { trial, status: statusOf(runs, { isRunning: active.has(trial.number), widest }), seconds };
  });
  return entries.sort((a, b) => compareEntries(ranking, a, b));
}

/** The trial to train: the first with a score. A score on all rows counts before one on fewer. */
export function winner(entries: readonly LeaderboardEntry[]): LeaderboardEntry | undefined {
  return entries.find(({ status }) => status.standing !== undefined);
}

function statusOf(runs: readonly FinishedRun[], o: { isRunning: boolean; widest: number }): TrialStatus {
  const standing = standingOf(runs);
  const known = standing === undefined ? {} : { standing };
  const failed = runs.map(({ outcome }) => outcome).find((outcome) => outcome.kind === "failed");
  if (failed !== undefined) return { kind: "failed", ...known, reason: failed.reason };
  if (runs.some(({ outcome }) => outcome.kind === "cut")) return { kind: "cut", ...known };
  if (o.isRunning || standing === undefined) return { kind: "running", ...known };
  return standing.rowsShare < o.widest ? { kind: "dropped", standing } : { kind: "done", standing };
}

function standingOf(runs: readonly FinishedRun[]): Standing | undefined {
  const standings = runs.flatMap(({ run: { rowsShare }, outcome }) =>
    outcome.kind === "scored" ? [{ score: outcome.score, deviation: outcome.deviation, rowsShare }] : [],
  );
  return standings.sort((a, b) => b.rowsShare - a.rowsShare)[0];
}

function compareEntries(ranking: Ranking, a: LeaderboardEntry, b: LeaderboardEntry): number {
  const [left, right] = [a.status.standing, b.status.standing];
  if (left === undefined || right === undefined) {
    if (left !== right) return left === undefined ? 1 : -1;
    return a.trial.number - b.trial.number;
  }
  if (left.rowsShare !== right.rowsShare) return right.rowsShare - left.rowsShare;
  return compare(ranking, { score: left.score, trial: a.trial }, { score: right.score, trial: b.trial });
}

interface Scored {
  readonly score: number;
  readonly trial: TrialPlan;
}

function compare({ metric, simplest }: Ranking, a: Scored, b: Scored): number {
  const grain = (score: number) => Math.round(score / equalWithin);
  if (grain(a.score) !== grain(b.score)) return compareScores(metric, a.score, b.score);
  const rank = ({ recipe }: TrialPlan) => simplest.indexOf(recipe);
  return rank(a.trial) - rank(b.trial) || a.trial.number - b.trial.number;
}

const longestReason = 500;

/** As evaluation.proto has it. */
export function trialMessage({ trial, status, seconds }: LeaderboardEntry): MessageInitShape<typeof TrialSchema> {
  const { standing } = status;
  return {
    number: trial.number,
    recipe: trial.recipe,
    parameters: trial.given.parameters,
    choices: trial.given.choices,
    ...(standing !== undefined && {
      score: standing.score,
      scoreDeviation: standing.deviation,
      rowsShare: standing.rowsShare,
    }),
    seconds,
    state: stateOf[status.kind],
    reason: reasonOf(status).slice(0, longestReason),
  };
}

const stateOf = {
  running: TrialState.RUNNING,
  done: TrialState.DONE,
  dropped: TrialState.DROPPED,
  failed: TrialState.FAILED,
  cut: TrialState.CUT,
} as const;

function reasonOf(status: TrialStatus): string {
  if (status.kind === "failed") return status.reason;
  if (status.kind === "cut") return "The budget was used up while it ran.";
  if (status.kind === "dropped") return `Others were better on ${shareText(status.standing.rowsShare)} of the rows.`;
  return "";
}

function shareText(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
