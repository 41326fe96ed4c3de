import { AimassError } from "@aimass/core";
import type { Json, Task } from "@aimass/learn";
import {
  type ClassLabels,
  decodeImages,
  type Estimator,
  FeatureFit,
  type FeaturePlan,
  type Features,
  type FitOptions,
  type Fitted,
  Random,
} from "@aimass/learn";
import type { RowSelection } from "../data/row-selection.ts";
import { seedOf } from "../data/split-plan.ts";
import type { TrainingData } from "../data/training-data.ts";
import { planFeatures } from "./feature-plan.ts";
import type { EstimatorRecipe, Reporter } from "./recipe.ts";
import type { GivenParameters } from "./recipe-parameters.ts";
import { readRows, type TrainingRows } from "./training-rows.ts";

/** One way to make a model of some data. */
export interface Candidate {
  readonly recipe: EstimatorRecipe;
  /** All parameters, as `resolveParameters` gives them. */
  readonly given: GivenParameters;
  /** The features; those that suit columns and estimator unless given. */
  readonly plan?: FeaturePlan;
}

/** Where a fit keeps what it needs to go on after its process died. */
export interface CheckpointSlot {
  readonly resume: Json | undefined;
  save(state: Json): void;
  /** Milliseconds between two; the estimators' own 30 s unless given. */
  readonly everyMs?: number;
}

export interface FitRequest {
  readonly rows: RowSelection;
  /** Share of those rows, see TrainingData.batches; 1 unless given. */
  readonly share?: number;
  readonly task: Task;
  readonly seed: bigint;
  readonly report: Reporter;
  readonly signal: AbortSignal;
  readonly threads: number;
  /** Bytes the rows may take in memory; those that need more are read again for every pass, where the estimator can. */
  readonly memoryBytes: number;
  /** A folder for rows that do not fit into memory. */
  readonly directory: string;
  readonly checkpoint?: CheckpointSlot;
}

/** Features and estimator, fitted. */
export interface FittedPipeline {
  readonly features: Features;
  readonly fitted: Fitted;
  /** Undefined for a regression. */
  readonly labels: ClassLabels | undefined;
  readonly candidate: Candidate;
}

/** Shares of a fit's progress at which steps begin. */
const progressAt = { features: 0, matrix: 0.15, fit: 0.3 } as const;

/** Features that were learnt from some rows, and those rows as an estimator takes them. Fitting leaves both as they are. */
export interface PreparedRows extends AsyncDisposable {
  readonly features: Features;
  readonly rows: TrainingRows;
}

/** Learns features and a model from some rows, and from them alone. Errors: those of the data and the estimator. */
export async function fitCandidate(
  data: TrainingData,
  candidate: Candidate,
  request: FitRequest,
): Promise<FittedPipeline> {
  await using prepared = await prepareRows(data, candidate, request);
  // Awaited here: the rows go when this scope ends.
  return await fitPrepared(data, candidate, { ...request, prepared });
}

/** The first half of `fitCandidate`: what candidates with equal `featuresOf` and an estimator that reads rows in the same way have in common. */
export async function prepareRows(
  data: TrainingData,
  candidate: Candidate,
  request: Omit<FitRequest, "checkpoint">,
): Promise<PreparedRows> {
  const features = await learnFeatures(data, featuresOf(data, candidate, request.task), request);
  const rows = await readRows(data, features, {
    ...request,
    estimator: estimatorOf(candidate.recipe, request.task),
    progress: [progressAt.matrix, progressAt.fit],
  });
  request.report.log(`${features.cols} features (${rows.kind}) of ${features.columns.length} columns.`);
  return { features, rows, [Symbol.asyncDispose]: () => rows[Symbol.asyncDispose]() };
}

/** The second half. */
export async function fitPrepared(
  data: TrainingData,
  candidate: Candidate,
  request: FitRequest & { readonly prepared: PreparedRows },
): Promise<FittedPipeline> {
  const { features, rows } = request.prepared;
  request.report.progress(progressAt.fit, "fitting");
  const { tolerances } = features;
  const options = { ...fitOptions(candidate, request), ...(tolerances !== undefined && { tolerances }) };
  const fitted = await rows.fit(estimatorOf(candidate.recipe, request.task), options);
  return { features, fitted, labels: data.labels, candidate };
}

/** The features of a candidate: its own, or those that suit columns and estimator. */
export function featuresOf(data: TrainingData, { recipe, plan }: Candidate, task: Task): FeaturePlan {
  return (
    plan ?? planFeatures(data.profiles, estimatorOf(recipe, task), { nonNegative: recipe.nonNegative, named: false })
  );
}

/** Throws INTERNAL for a task that the recipe does not do: specs are checked before. */
export function estimatorOf(recipe: EstimatorRecipe, task: Task): Estimator {
  const estimator = recipe.estimators[task];
  if (estimator !== undefined) return estimator;
  throw new AimassError("INTERNAL", `${recipe.name} does no ${task}.`);
}

async function learnFeatures(data: TrainingData, plan: FeaturePlan, request: FitRequest): Promise<Features> {
  const { rows, share = 1, report, signal } = request;
  for (const note of plan.notes ?? []) report.log(note);
  if (plan.features.length === 0) {
    throw new AimassError("FAILED_PRECONDITION", "No column is left to learn from.", {
      reason: "NO_FEATURES",
      field: "spec.features",
      remedy: (plan.notes ?? []).join(" ") || "Name other columns.",
    });
  }
  const total = await data.rowCount(rows, share);
  const fitting = new FeatureFit(plan);
  for await (const batch of data.batches(rows, { share, signal })) {
    fitting.add(await decodeImages(batch, signal));
    const done = fitting.rows / total;
    report.progress(progressAt.features + done * (progressAt.matrix - progressAt.features), "learning features");
  }
  return fitting.finish();
}

function fitOptions({ given }: Candidate, { seed, report, signal, threads, checkpoint }: FitRequest): FitOptions {
  let logged = 0;
  return {
    parameters: { ...given.parameters, ...given.choices },
    random: new Random(seedOf(seed)),
    signal,
    threads,
    ...(checkpoint?.resume !== undefined && { resume: checkpoint.resume }),
    ...(checkpoint !== undefined && { onCheckpoint: (state) => checkpoint.save(state) }),
    ...(checkpoint?.everyMs !== undefined && { checkpointEveryMs: checkpoint.everyMs }),
    onWarning: (sentence) => report.warn(sentence),
    onProgress: (step, steps, loss) => {
      const share = step / Math.max(1, steps);
      const at = progressAt.fit + share * (1 - progressAt.fit);
      report.progress(at, `fitting, loss ${rounded(loss)}`, { step, steps, loss });
      report.metric("loss", step, loss);
      // About twenty lines, however many steps there are.
      if (step < logged + steps / 20) return;
      logged = step;
      report.log(`step ${step} of at most ${steps}: loss ${rounded(loss)}`);
    },
  };
}

function rounded(value: number): string {
  return Number(value.toPrecision(6)).toString();
}
