import { JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { toBinary } from "@bufbuild/protobuf";
import { getRecipe } from "../recipes/catalogue.ts";
import { makeModel } from "../recipes/make-model.ts";
import { phase } from "../recipes/phase.ts";
import { resolveParameters } from "../recipes/recipe-parameters.ts";
import { candidateOf } from "../recipes/train-recipe.ts";
import type { JobWork, MadeModel } from "../worker/job-work.ts";
import type { WayToTrain } from "../worker/way-to-train.ts";
import { type LeaderboardEntry, leaderboard, type Ranking, winner } from "./leaderboard.ts";
import { openSearch, type SearchJob, searchShare } from "./open-search.ts";
import { runSearch } from "./run-search.ts";
import { progressFromJson, progressToJson, type SearchProgress } from "./search-checkpoint.ts";
import { searchJson } from "./search-lineage.ts";
import { parametersText } from "./search-report.ts";
import type { TrialPlan, TrialResults } from "./trial.ts";
import type { TrialSetup } from "./trial-message.ts";
import { type PoolShape, shapePool, TrialPool } from "./trial-pool.ts";

/** Trials that are trained on all rows, the best first, until one can be. */
const mostWinners = 3;
/** A trial during whose training the worker died so often is not trained again, if there is another. */
const mostDeaths = 2;
const mebibyte = 2 ** 20;

/**
 * Looks for parameters, or with "auto" for a recipe, and trains the best on the whole training part. Trials see the training part alone; the held-out part
 * is measured once, for the winner. Errors: those of the data; FAILED_PRECONDITION (NO_TRIAL) when no trial could be scored and none was cut.
 */
export const trainBySearch: WayToTrain = async (work, data) => {
  const kept = keepingCheckpoints(work);
  const job = await openSearch(kept.work, data);
  const found = await search(job);
  const winners = winnersOf(job, found.results);
  const [best] = winners;
  const trials = found.begun >= mostDeaths && winners.length > 1 ? winners.slice(1) : winners;
  if (trials[0] === best) job.checkpoint.save(progressToJson({ ...found, begun: found.begun + 1 }));
  for (const trial of trials) {
    try {
      return await trainWinner(job, trial, {
        results: found.results,
        checkpoint: trial === best ? kept.latest() : undefined,
      });
    } catch (error) {
      if (work.signal.aborted || trial === trials.at(-1)) throw error;
      work.report.log(`Trial ${trial.number} could not be trained on all rows: ${AimassError.from(error).advice}`);
    }
  }
  throw noTrial(job, found.results);
};

/** The last checkpoint counts for what comes after the search, too. */
function keepingCheckpoints(work: JobWork): { work: JobWork; latest: () => Uint8Array | undefined } {
  let latest = work.checkpoint;
  const checkpoint = (state: Uint8Array) => {
    latest = state;
    work.report.checkpoint(state);
  };
  return { work: { ...work, report: { ...work.report, checkpoint } }, latest: () => latest };
}

/** Runs the trials that are not in the checkpoint. */
async function search(job: SearchJob): Promise<SearchProgress> {
  const { work, search, planned, told, checkpoint, budget } = job;
  const { threads, clock, signal } = work;
  const earlier = progressFromJson(checkpoint.resume);
  if (earlier !== undefined) work.report.log(`${earlier.results.all.length} trials are known from an earlier attempt.`);
  if (earlier?.isOver) return earlier;
  announce(job);
  const memoryMb = work.memoryBytes / mebibyte;
  const shape = shapePool({ parallel: search.parallel, threads, memoryMb, rowBytes: job.rowBytes });
  await using pool = new TrialPool(setupOf(job, shape), { memoryMb: shape.memoryMb, clock });
  let seconds = earlier?.seconds ?? 0;
  const results = await runSearch({
    policy: planned.policy,
    budget,
    parallel: shape.processes,
    score: (run, stop) => pool.score(run, stop, (done, folds) => told.fold(run, done, folds)),
    ...(earlier !== undefined && { earlier }),
    onChange: (state) => {
      seconds = state.seconds;
      told.changed(state);
      if (state.ended !== undefined) checkpoint.save(progressToJson({ ...state, isOver: false, begun: 0 }));
    },
    clock,
    signal,
  });
  return { results, seconds, isOver: true, begun: 0 };
}

function announce({ work, search, planned, budget, folds }: SearchJob): void {
  const { recipes, excluded } = planned;
  const how = folds === undefined ? "on the validation part" : `by ${folds.count} folds`;
  const bound = Number.isFinite(budget.seconds) ? ` within ${budget.seconds} s` : "";
  work.report.log(`Searching by ${search.metric} ${how}${bound}: ${recipes.join(", ")}.`);
  for (const { recipe, reason } of excluded) work.report.log(`${recipe} is not tried: it ${reason}.`);
}

function setupOf({ work, data, spec, search, folds }: SearchJob, { threads, rowBytes }: PoolShape): TrialSetup {
  return {
    path: data.path,
    facts: data.facts,
    folds,
    spec: toBinary(JobSpecSchema, spec),
    metric: search.metric,
    directory: work.directory,
    threads,
    memoryBytes: rowBytes,
  };
}

/** Trials to train, the best first. When the budget was used up before anything could be scored, the first that was cut: it is the quickest. */
function winnersOf({ work, ranking, search }: SearchJob, results: TrialResults): readonly TrialPlan[] {
  const entries = leaderboard(results, [], ranking);
  const best = winner(entries);
  if (best !== undefined) {
    work.report.log(`The best of ${entries.length} trials: ${describe(best, ranking)}.`);
    const scored = entries.filter(({ status }) => status.standing !== undefined);
    return scored.slice(0, mostWinners).map(({ trial }) => trial);
  }
  const cut = entries.filter(({ status }) => status.kind === "cut").map(({ trial }) => trial);
  const [quickest] = cut.sort((a, b) => a.number - b.number);
  if (quickest === undefined) return [];
  const ended = `No trial ended within the budget of ${search.budgetSeconds} s`;
  work.report.warn(`${ended}: ${quickest.recipe} was chosen without a comparison.`);
  return [quickest];
}

function describe({ trial, status }: LeaderboardEntry, { metric }: Ranking): string {
  const score = status.standing === undefined ? "" : `, ${metric.name} ${Number(status.standing.score.toPrecision(6))}`;
  return `trial ${trial.number}, ${trial.recipe}${parametersText(trial.given)}${score}`;
}

interface WinnerContext {
  readonly results: TrialResults;
  /** Where the training of the best goes on. Undefined: another is trained, and must neither go on from it nor replace it. */
  readonly checkpoint: Uint8Array | undefined;
}

async function trainWinner(job: SearchJob, trial: TrialPlan, o: WinnerContext): Promise<MadeModel> {
  const { work, data, spec, told } = job;
  const chosen = { recipe: trial.recipe, ...resolveParameters(getRecipe(trial.recipe), data.task, trial.given) };
  work.report.log(`Training ${chosen.recipe}${parametersText(chosen)} on all ${data.rows.train} training rows.`);
  const own = phase(work.report, searchShare, 1);
  const report = o.checkpoint === undefined ? { ...own, checkpoint() {} } : own;
  const candidate = candidateOf({ spec: { ...spec, ...chosen } }, data);
  const known = { ...told.known(o.results), howJson: searchJson(job, trial, o.results) };
  const made = await makeModel({ ...work, report, checkpoint: o.checkpoint }, data, candidate, known);
  return { ...made, chosen };
}

function noTrial({ ranking }: SearchJob, results: TrialResults): AimassError {
  const entries = leaderboard(results, [], ranking);
  const failed = entries.flatMap(({ trial, status }) =>
    status.kind === "failed" ? [{ recipe: trial.recipe, reason: status.reason }] : [],
  );
  const [first] = failed;
  const message =
    first === undefined
      ? "No recipe suits the data."
      : `None of ${entries.length} trials could be trained. The first, ${first.recipe}: ${first.reason}`;
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "NO_TRIAL",
    field: "spec.search",
    ...(first === undefined && { remedy: "Name a recipe." }),
  });
}
