import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { fromBinary } from "@bufbuild/protobuf";
import type { RowSelection } from "../data/row-selection.ts";
import { TrainingData } from "../data/training-data.ts";
import { measurePipeline } from "../evaluation/evaluate.ts";
import { type Candidate, estimatorOf, featuresOf, fitPrepared, prepareRows } from "../recipes/candidate.ts";
import { getRecipe } from "../recipes/catalogue.ts";
import type { Reporter } from "../recipes/recipe.ts";
import { resolveParameters } from "../recipes/recipe-parameters.ts";
import { candidateOf } from "../recipes/train-recipe.ts";
import { PreparedCache } from "./prepared-cache.ts";
import type { RunOutcome } from "./run-search.ts";
import type { MeasuredFold, TrialRun } from "./trial.ts";
import type { TrialSetup } from "./trial-message.ts";

/** Rows to fit to and rows to score on. */
interface Division {
  readonly train: RowSelection;
  readonly held: RowSelection;
}

type ScoredRun = Extract<RunOutcome, { kind: "scored" }>;

/** Of the memory that the rows of a trial may take: so much more is kept from earlier trials. */
const keptShare = 0.5;

/** A trial is stopped by the end of its process. */
const endless = new AbortController().signal;

/** A trial tells its folds, not its steps. */
const quiet: Reporter = {
  progress() {},
  log() {},
  warn() {},
  metric() {},
  evaluated() {},
  checkpoint() {},
};

/** Scores trials on data that were divided before. The held-out part is not looked at. */
export class TrialScorer implements AsyncDisposable {
  readonly #setup: TrialSetup;
  readonly #data: TrainingData;
  readonly #spec: JobSpec;
  readonly #prepared: PreparedCache;

  private constructor(setup: TrialSetup, data: TrainingData) {
    this.#setup = setup;
    this.#data = data;
    this.#spec = fromBinary(JobSpecSchema, setup.spec);
    this.#prepared = new PreparedCache(setup.memoryBytes * keptShare);
  }

  static async open(setup: TrialSetup): Promise<TrialScorer> {
    return new TrialScorer(setup, await TrainingData.reopen(setup.path, setup.facts));
  }

  /** Fits on each fold (or on the training part) and scores on what it leaves out. Errors: those of the data and the estimator. */
  async score(run: TrialRun, onFold: (done: number, folds: number) => void): Promise<ScoredRun> {
    const divisions = divisionsOf(this.#setup);
    const candidate = this.#candidate(run);
    const folds: MeasuredFold[] = [];
    for (const division of divisions) {
      folds.push(await this.#measure(candidate, division, run.rowsShare));
      onFold(folds.length, divisions.length);
    }
    const scores = folds.map((fold) => this.#scoreOf(fold));
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length;
    return { kind: "scored", score: mean, deviation: Math.sqrt(variance), folds };
  }

  async #measure(candidate: Candidate, { train, held }: Division, share: number): Promise<MeasuredFold> {
    const { threads, memoryBytes, directory } = this.#setup;
    const { task } = this.#data;
    const common = { report: quiet, signal: endless, threads, memoryBytes, directory };
    const request = { ...common, rows: train, share, task, seed: this.#spec.seed };
    const { sparse, fitStream } = estimatorOf(candidate.recipe, task);
    const plan = featuresOf(this.#data, candidate, task);
    const key = JSON.stringify([train, share, plan, sparse, fitStream !== undefined]);
    await using loan = await this.#prepared.borrow(key, () => prepareRows(this.#data, candidate, request));
    const pipeline = await fitPrepared(this.#data, candidate, { ...request, prepared: loan.prepared });
    const { metrics, rows } = await measurePipeline(this.#data, pipeline, held);
    return { metrics, rows };
  }

  #scoreOf({ metrics }: MeasuredFold): number {
    const { metric } = this.#setup;
    const score = metrics[metric];
    if (score !== undefined && Number.isFinite(score)) return score;
    throw new AimassError("FAILED_PRECONDITION", `Its ${metric} cannot be told on a fold.`, {
      field: "spec.search.metric",
      remedy: "Search by another metric, or with fewer folds.",
    });
  }

  #candidate({ trial }: TrialRun): Candidate {
    const { recipe, given } = trial;
    const all = resolveParameters(getRecipe(recipe), this.#data.task, given);
    return candidateOf({ spec: { ...this.#spec, recipe, ...all } }, this.#data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prepared[Symbol.asyncDispose]();
    await this.#data[Symbol.asyncDispose]();
  }
}

function divisionsOf({ folds }: TrialSetup): readonly Division[] {
  if (folds === undefined) return [{ train: { part: "train" }, held: { part: "validation" } }];
  return Array.from({ length: folds.count }, (_, fold) => ({
    train: { fold, of: folds, held: false },
    held: { fold, of: folds, held: true },
  }));
}
