import { type JobSpec, JobSpecSchema, type Search } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Folds } from "../data/row-selection.ts";
import type { TrainingData } from "../data/training-data.ts";
import { autoRecipe } from "../recipes/auto-recipe.ts";
import type { CheckpointSlot } from "../recipes/candidate.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import { makeModel } from "../recipes/make-model.ts";
import { phase } from "../recipes/phase.ts";
import { resolveParameters } from "../recipes/recipe-parameters.ts";
import { candidateOf } from "../recipes/train-recipe.ts";
import { JobCheckpoints } from "../worker/job-checkpoints.ts";
import type { JobWork, MadeModel, WayToTrain } from "../worker/job-work.ts";
import { simplestRecipes } from "./auto-candidates.ts";
import type { Budget } from "./budget.ts";
import { fitSearch } from "./check-search.ts";
import { factsOf } from "./data-facts.ts";
import { type LeaderboardEntry, leaderboard, type Ranking, winner } from "./leaderboard.ts";
import { type PlannedSearch, planSearch } from "./plan-search.ts";
import { runSearch } from "./run-search.ts";
import { progressFromJson, progressToJson } from "./search-checkpoint.ts";
import { readSearchMetric } from "./search-metric.ts";
import { parametersText, SearchReport } from "./search-report.ts";
import type { TrialPlan, TrialResults } from "./trial.ts";
import { shapePool, TrialPool } from "./trial-pool.ts";

const defaultFolds = 3;
/** Of the progress; the rest is the winner's training. */
const searchShare = 0.7;
/** Trials that are trained on all rows, the best first, until one can be. */
const mostWinners = 3;
const mebibyte = 2 ** 20;

/** A search and all it depends on. */
interface SearchJob {
  readonly work: JobWork;
  readonly data: TrainingData;
  readonly spec: JobSpec;
  readonly search: Search;
  readonly folds: Folds | undefined;
  readonly ranking: Ranking;
  readonly budget: Budget;
  readonly planned: PlannedSearch;
  readonly rowBytes: number;
  readonly told: SearchReport;
  readonly checkpoint: CheckpointSlot;
}

/**
 * Looks for parameters, or with "auto" for a recipe, and trains the best on the whole training part. Trials see the training part alone; the held-out part
 * is measured once, for the winner. Errors: those of the data; FAILED_PRECONDITION (NO_TRIAL) when no trial could be scored and none was cut.
 */
export const trainBySearch: WayToTrain = async (work, data) => {
  const latest = { checkpoint: work.checkpoint };
  const report = {
    ...work.report,
    checkpoint: (state: Uint8Array) => {
      latest.checkpoint = state;
      work.report.checkpoint(state);
    },
  };
  const job = await openSearch({ ...work, report }, data);
  const results = await search(job);
  const trials = winnersOf(job, results);
  for (const [place, trial] of trials.entries()) {
    try {
      return await trainWinner(job, trial, { results, checkpoint: latest.checkpoint, isFirst: place === 0 });
    } catch (error) {
      if (work.signal.aborted || place === trials.length - 1) throw error;
      work.report.log(`trial ${trial.number} could not be trained on all rows: ${AimassError.from(error).advice}`);
    }
  }
  throw noTrial(job, results);
};

async function openSearch(work: JobWork, data: TrainingData): Promise<SearchJob> {
  const { report } = work;
  const recipe = getRecipe(work.spec.recipe);
  const fitted = fitSearch(work.spec, recipe, data.task);
  const spec = create(JobSpecSchema, { ...work.spec, ...fitted });
  const { search } = fitted;
  const folds = await foldsOf(work, data);
  const first = recipe === autoRecipe ? (data.task === "regression" ? "ridge" : "logistic-regression") : recipe.name;
  const { plan } = candidateOf({ spec: { ...spec, recipe: first } }, data);
  const share = folds === undefined ? 1 : (folds.count - 1) / folds.count;
  const facts = factsOf(data, plan ?? { columns: [], features: [] }, share);
  const ranking: Ranking = { metric: readSearchMetric(search.metric, data.task), simplest: simplestRecipes };
  const planned = planSearch({ spec, search, data, facts, ranking });
  const budget = { seconds: search.budgetSeconds || Number.POSITIVE_INFINITY };
  const told = new SearchReport({
    report: phase(report, 0, searchShare),
    data,
    ranking,
    budget,
    most: planned.policy.most,
    isFolded: folds !== undefined,
  });
  return {
    work,
    data,
    spec,
    search,
    folds,
    ranking,
    budget,
    planned,
    rowBytes: facts.rows * facts.features * Float32Array.BYTES_PER_ELEMENT,
    told,
    checkpoint: new JobCheckpoints(work).slot("search"),
  };
}

/** Undefined: trials are scored on the validation part. */
async function foldsOf({ spec, signal }: JobWork, data: TrainingData): Promise<Folds | undefined> {
  if (data.rows.validation > 0) return undefined;
  const count = Math.min(spec.folds || defaultFolds, data.rows.train);
  if (count >= 2) return data.folds(count, signal);
  throw new AimassError("FAILED_PRECONDITION", `A search cannot compare trials on ${data.rows.train} training row.`, {
    reason: "TOO_FEW_ROWS",
    field: "spec.search",
    remedy: "Use a larger dataset, or name a recipe and its parameters.",
  });
}

/** Runs the trials that are not in the checkpoint. */
async function search(job: SearchJob): Promise<TrialResults> {
  const { work, search, planned, told, checkpoint, budget } = job;
  const earlier = progressFromJson(checkpoint.resume);
  if (earlier !== undefined) work.report.log(`${earlier.results.all.length} trials are known from an earlier attempt.`);
  if (earlier?.isOver) return earlier.results;
  announce(job);
  const { parallel } = search;
  const { threads, clock, signal } = work;
  const shape = shapePool({ parallel, threads, memoryMb: work.memoryBytes / mebibyte, rowBytes: job.rowBytes });
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
      if (state.ended !== undefined) checkpoint.save(progressToJson({ ...state, isOver: false }));
    },
    clock,
    signal,
  });
  checkpoint.save(progressToJson({ results, seconds, isOver: true }));
  return results;
}

function announce({ work, search, planned, budget, folds }: SearchJob): void {
  const { recipes, excluded } = planned;
  const how = folds === undefined ? "on the validation part" : `by ${folds.count} folds`;
  const bound = Number.isFinite(budget.seconds) ? ` within ${budget.seconds} s` : "";
  work.report.log(`Searching by ${search.metric} ${how}${bound}: ${recipes.join(", ")}.`);
  for (const { recipe, reason } of excluded) work.report.log(`${recipe} is not tried: it ${reason}.`);
}

function setupOf({ work, data, spec, search, folds }: SearchJob, shape: { threads: number; rowBytes: number }) {
  return {
    path: data.path,
    facts: data.facts,
    folds,
    spec: toBinary(JobSpecSchema, spec),
    metric: search.metric,
    directory: work.directory,
    threads: shape.threads,
    memoryBytes: shape.rowBytes,
  };
}

/**
 * Trials to train, the best first. When the budget was used up before anything could be scored, the first that was cut: it is the quickest.
 */
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
  const sentence = `No trial ended within the budget of ${search.budgetSeconds} s: ${quickest.recipe} was chosen without a comparison.`;
  work.report.warn(sentence);
  work.report.log(sentence);
  return [quickest];
}

function describe({ trial, status }: LeaderboardEntry, { metric }: Ranking): string {
  const score = status.standing === undefined ? "" : `, ${metric.name} ${Number(status.standing.score.toPrecision(6))}`;
  return `trial ${trial.number}, ${trial.recipe}${parametersText(trial.given)}${score}`;
}

interface WinnerContext {
  readonly results: TrialResults;
  readonly checkpoint: Uint8Array | undefined;
  /** Only the first winner's training is kept in checkpoints: another one must not go on from it. */
  readonly isFirst: boolean;
}

async function trainWinner(job: SearchJob, trial: TrialPlan, o: WinnerContext): Promise<MadeModel> {
  const { work, data, spec, told } = job;
  const report = phase(work.report, searchShare, 1);
  const chosen = { recipe: trial.recipe, ...resolveParameters(getRecipe(trial.recipe), data.task, trial.given) };
  work.report.log(`Training ${chosen.recipe}${parametersText(chosen)} on all ${data.rows.train} training rows.`);
  const kept = o.isFirst
    ? { report, checkpoint: o.checkpoint }
    : { report: { ...report, checkpoint() {} }, checkpoint: undefined };
  const candidate = candidateOf({ spec: { ...spec, ...chosen } }, data);
  const known = told.known(o.results);
  const made = await makeModel({ ...work, ...kept }, data, candidate, {
    ...known,
    howJson: howJson(job, trial, o.results),
  });
  return { ...made, chosen };
}

/** Lines of a leaderboard that go into the lineage. */
const mostLines = 50;

/** What was looked for and what was tried, for the version's lineage. */
function howJson({ search, ranking, folds, work }: SearchJob, trial: TrialPlan, results: TrialResults): string {
  const entries = leaderboard(results, [], ranking);
  const tried = entries.slice(0, mostLines).map(({ trial: { number, recipe, given }, status }) => ({
    trial: number,
    recipe,
    ...given.parameters,
    ...given.choices,
    ...(status.standing !== undefined && { score: status.standing.score, rowsShare: status.standing.rowsShare }),
    state: status.kind,
  }));
  const { method, metric, budgetSeconds } = search;
  const seed = String(work.spec.seed);
  const scoredOn = folds === undefined ? "validation" : `${folds.count} folds`;
  return JSON.stringify({
    method,
    metric,
    scoredOn,
    budgetSeconds,
    seed,
    trials: entries.length,
    chosen: trial.number,
    tried,
  });
}

function noTrial({ ranking }: SearchJob, results: TrialResults): AimassError {
  const entries = leaderboard(results, [], ranking);
  const [first] = entries.flatMap(({ trial, status }) =>
    status.kind === "failed" ? [{ trial, reason: status.reason }] : [],
  );
  if (first === undefined) {
    return new AimassError("FAILED_PRECONDITION", "No recipe suits the data.", {
      reason: "NO_TRIAL",
      field: "spec.recipe",
      remedy: "Name a recipe.",
    });
  }
  const message = `None of ${entries.length} trials could be trained. The first, ${first.trial.recipe}: ${first.reason}`;
  return new AimassError("FAILED_PRECONDITION", message, { reason: "NO_TRIAL", field: "spec.search" });
}
