import { type JobSpec, JobSpecSchema, type Search } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { FeaturePlan } from "@aimass/learn";
import { create } from "@bufbuild/protobuf";
import type { Folds } from "../data/row-selection.ts";
import type { TrainingData } from "../data/training-data.ts";
import { autoRecipe } from "../recipes/auto-recipe.ts";
import type { CheckpointSlot } from "../recipes/candidate.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import { phase } from "../recipes/phase.ts";
import { candidateOf } from "../recipes/train-recipe.ts";
import { JobCheckpoints } from "../worker/job-checkpoints.ts";
import type { JobWork } from "../worker/job-work.ts";
import { simplestRecipes } from "./auto-candidates.ts";
import type { Budget } from "./budget.ts";
import { fitSearch } from "./check-search.ts";
import { factsOf } from "./data-facts.ts";
import type { Ranking } from "./leaderboard.ts";
import { type PlannedSearch, planSearch } from "./plan-search.ts";
import { readSearchMetric } from "./search-metric.ts";
import { SearchReport } from "./search-report.ts";

const defaultFolds = 3;
/** Of the progress; the rest is the training of what was found. */
export const searchShare = 0.7;

/** A search of a job and all it depends on. */
export interface SearchJob {
  readonly work: JobWork;
  readonly data: TrainingData;
  /** Its parameters are those that were given. */
  readonly spec: JobSpec;
  readonly search: Search;
  /** Undefined: trials are scored on the validation part. */
  readonly folds: Folds | undefined;
  readonly ranking: Ranking;
  readonly budget: Budget;
  readonly planned: PlannedSearch;
  /** Of the rows of one trial, about, once in memory. */
  readonly rowBytes: number;
  readonly told: SearchReport;
  readonly checkpoint: CheckpointSlot;
}

/** Looks at spec and data and plans what to try. Errors: FAILED_PRECONDITION when there are too few rows to compare trials; those of the spec. */
export async function openSearch(work: JobWork, data: TrainingData): Promise<SearchJob> {
  const fitted = fitSearch(work.spec, getRecipe(work.spec.recipe), data.task);
  const spec = create(JobSpecSchema, { ...work.spec, ...fitted });
  const { search } = fitted;
  const folds = await foldsOf(work, data);
  const rowsShare = folds === undefined ? 1 : (folds.count - 1) / folds.count;
  const facts = factsOf(data, featuresOf(spec, data), rowsShare);
  const ranking: Ranking = { metric: readSearchMetric(search.metric, data.task), simplest: simplestRecipes };
  const planned = planSearch({ spec, search, data, facts, ranking });
  const budget = { seconds: search.budgetSeconds || Number.POSITIVE_INFINITY };
  const told = new SearchReport({
    report: phase(work.report, 0, searchShare),
    data,
    ranking,
    budget,
    most: planned.policy.most,
    isFolded: folds !== undefined,
  });
  const rowBytes = facts.rows * facts.features * Float32Array.BYTES_PER_ELEMENT;
  const checkpoint = new JobCheckpoints(work).slot("search");
  return { work, data, spec, search, folds, ranking, budget, planned, rowBytes, told, checkpoint };
}

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

/** The features that the data get; with "auto" those of a linear model, which takes every kind. */
function featuresOf(spec: JobSpec, data: TrainingData): FeaturePlan {
  const linear = data.task === "regression" ? "ridge" : "logistic-regression";
  const recipe = spec.recipe === autoRecipe.name ? linear : spec.recipe;
  return candidateOf({ spec: { ...spec, recipe } }, data).plan ?? { columns: [], features: [] };
}
