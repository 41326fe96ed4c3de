import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, Fitted, RowStream } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import type { ClassTargets, Targets } from "../../targets.ts";
import { Checkpoints } from "../checkpoints.ts";
import { classWeightsSpec } from "../common-parameters.ts";
import { classRows, type RowPasses, rowsInMemory, weighClasses } from "../row-passes.ts";
import { classTargets, rowWeights } from "../training-rows.ts";
import { calibrate, type HeldRows } from "./calibrate.ts";
import { columnMoments } from "./column-scales.ts";
import { descendDualHinge } from "./dual-hinge.ts";
import { LinearClassifier } from "./linear-classifier.ts";
import { minimise } from "./minimise.ts";
import { foldsOf } from "./row-folds.ts";
import { squaredHingeLoss } from "./score-loss.ts";
import { ScoreObjective } from "./score-objective.ts";

type SvmParameters = {
  readonly l2: number;
  readonly loss: "squared-hinge" | "hinge";
  readonly classWeights: "none" | "balanced";
  readonly tolerance: number;
  readonly maxIterations: number;
};

/**
 * Linear support vector machine, each class against the rest: minimises Σ wᵣ·hinge + ½·l2·|β|². With the squared hinge the intercepts are free, with the
 * plain one they are penalised like weights. Probabilities are the scores through a logistic curve fitted to scores of rows held out of three more fits, each
 * of two thirds of the rows; the label is the class with the highest score. Streams (squared hinge only) are read for every iteration and some thirty times
 * more, and take 200 · cols · outputs bytes, 8 bytes a row and a batch of memory; scores of up to four million are kept.
 */
export const linearSvm: Estimator = {
  name: "linear-svm",
  task: "classification",
  description: "Linear support vector machine. Good for text and other wide features.",
  parameters: [
    {
      kind: "number",
      name: "l2",
      default: 1,
      minimum: 1e-9,
      maximum: 1e12,
      meaning: "Strength of the penalty on half the squared weights, against the sum of losses.",
      search: { scale: "log", from: 1e-3, to: 1e3 },
    },
    {
      kind: "choice",
      name: "loss",
      default: "squared-hinge",
      choices: ["squared-hinge", "hinge"],
      meaning: "What a row costs whose score is less than 1 on its own side: the lack squared, or the lack.",
    },
    classWeightsSpec,
    {
      kind: "number",
      name: "tolerance",
      default: 1e-4,
      minimum: 1e-12,
      maximum: 1,
      meaning:
        "The fit ends when no derivative of the mean loss (squared hinge) or spread of the dual's (hinge, a thousand times as much) is larger.",
    },
    {
      kind: "integer",
      name: "maxIterations",
      default: 1000,
      minimum: 1,
      maximum: 1e6,
      meaning: "The fit ends after as many iterations at most.",
    },
  ],
  sparse: true,
  missing: false,
  fit,
  fitStream,
  fromJson: (json) => LinearClassifier.fromJson(json),
};

async function fit(x: Matrix, y: Targets, options: FitOptions): Promise<Fitted> {
  const p = resolveParameters<SvmParameters>(linearSvm.parameters, options.parameters);
  return p.loss === "hinge" ? fitHinge(x, y, p, options) : fitSquaredHinge(rowsInMemory(x, y), p, options);
}

async function fitStream(rows: RowStream, options: FitOptions): Promise<Fitted> {
  const p = resolveParameters<SvmParameters>(linearSvm.parameters, options.parameters);
  if (p.loss === "squared-hinge") return fitSquaredHinge(rows, p, options);
  throw new AimassError("FAILED_PRECONDITION", "A linear SVM with the plain hinge needs all rows in memory.", {
    reason: "ROWS_IN_MEMORY",
    field: "parameters.loss",
    remedy: 'Choose the loss "squared-hinge", or fewer rows.',
  });
}

async function fitSquaredHinge(rows: RowStream, p: SvmParameters, options: FitOptions): Promise<Fitted> {
  const { passes, sums } = await weighClasses(classRows(linearSvm, rows, options), p.classWeights);
  const { labels } = passes;
  const pacer = new Pacer(options.signal);
  const moments = await columnMoments(passes, pacer);
  const penalty = { l2: p.l2, l1: 0 };
  const objective = new ScoreObjective(passes, squaredHingeLoss(labels.values.length), { moments, penalty, pacer });
  const point = new Float64Array(objective.size);
  const checkpoints = new Checkpoints(options);
  await minimise(objective, point, {
    tolerance: p.tolerance,
    maxIterations: p.maxIterations,
    resume: options.resume,
    onStep: (step, value, state) => {
      options.onProgress?.(step, p.maxIterations, value);
      checkpoints.offer(state);
    },
  });
  const model = objective.model(point);
  const held = await heldOut(passes, options, async (learnt) => {
    // The same scales, so that the way begins at the minimum of all rows, near to that of most.
    const own = new ScoreObjective(learnt, squaredHingeLoss(labels.values.length), { moments, penalty, pacer });
    const near = point.slice();
    await minimise(own, near, { tolerance: p.tolerance, maxIterations: p.maxIterations });
    return own.model(near);
  });
  return new LinearClassifier({ labels, ...model, calibration: await calibrate(held, { sums, pacer }) });
}

const folds = 3;

/** Fits a model for each fold to the other rows. */
async function heldOut(
  passes: RowPasses<ClassTargets>,
  { random }: FitOptions,
  fitTo: (learnt: RowPasses<ClassTargets>, counts: Uint8Array) => Promise<Omit<HeldRows, "passes">>,
): Promise<readonly HeldRows[]> {
  const foldOf = await foldsOf(passes, folds, random.fork(folds));
  const held: HeldRows[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const learnt = foldOf.map((one) => Number(one !== fold));
    const model = await fitTo(passes.only(learnt), learnt);
    held.push({ passes: passes.only(foldOf.map((one) => Number(one === fold))), ...model });
  }
  return held;
}

async function fitHinge(x: Matrix, y: Targets, p: SvmParameters, options: FitOptions): Promise<Fitted> {
  const rows = classRows(linearSvm, rowsInMemory(x, y), options);
  const { passes, sums } = await weighClasses(rows, p.classWeights);
  const targets = classTargets(y, x.rows, options.weights);
  const weights = rowWeights(options.weights, targets, p.classWeights);
  const model = await solveHinge(x, targets, { p, weights, options });
  const quiet: FitOptions = { random: options.random, ...(options.signal && { signal: options.signal }) };
  const held = await heldOut(passes, options, (_, counts) => {
    const own = Float64Array.from(counts, (one, row) => one * (weights?.[row] ?? 1));
    return solveHinge(x, targets, { p, weights: own, options: quiet });
  });
  const calibration = await calibrate(held, { sums, pacer: new Pacer(options.signal) });
  return new LinearClassifier({ labels: targets.labels, ...model, calibration });
}

interface SvmFit {
  readonly p: SvmParameters;
  readonly weights: Float64Array | undefined;
  readonly options: FitOptions;
}

async function solveHinge(x: Matrix, y: ClassTargets, { p, weights, options }: SvmFit) {
  const classes = y.labels.values.length;
  const outputs = classes === 2 ? 1 : classes;
  const all = new Float64Array(x.cols * outputs);
  const intercepts = new Float64Array(outputs);
  for (let k = 0; k < outputs; k++) {
    const own = outputs === 1 ? 1 : k;
    const beta = await descendDualHinge(x, {
      signs: Int8Array.from(y.indices, (index) => (index === own ? 1 : -1)),
      weights,
      l2: p.l2,
      tolerance: 1000 * p.tolerance,
      maxSweeps: p.maxIterations,
      random: options.random.fork(k),
      pacer: new Pacer(options.signal),
    });
    for (let j = 0; j < x.cols; j++) all[j * outputs + k] = beta[j]!;
    intercepts[k] = beta[x.cols]!;
    options.onProgress?.(k + 1, outputs, 0);
  }
  return { weights: all, intercepts };
}
