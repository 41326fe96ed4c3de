import type { Estimator, FitOptions, Fitted, RowStream } from "../../estimator.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import { Checkpoints } from "../checkpoints.ts";
import { classWeightsSpec } from "../common-parameters.ts";
import { classRows, rowsInMemory, weighClasses } from "../row-passes.ts";
import { columnMoments } from "./column-scales.ts";
import { LinearClassifier } from "./linear-classifier.ts";
import { minimise } from "./minimise.ts";
import { logisticLoss, softmaxLoss } from "./score-loss.ts";
import { ScoreObjective } from "./score-objective.ts";

type LogisticParameters = {
  readonly l2: number;
  readonly l1: number;
  readonly classWeights: "none" | "balanced";
  readonly tolerance: number;
  readonly maxIterations: number;
};

/**
 * Minimises Σ wᵣ·(−log pᵣ) + ½·l2·|β|² + l1·|β|₁, where p is the logistic function (two classes) or softmax (more) of x·β + b; the intercepts b are free.
 * Streams are read twice and then for every iteration, and take 200 · cols · outputs bytes and a batch of memory.
 */
export const logisticRegression: Estimator = {
  name: "logistic-regression",
  task: "classification",
  description: "Logistic and softmax regression. Fast, well calibrated, good for text.",
  parameters: [
    {
      kind: "number",
      name: "l2",
      default: 1,
      minimum: 0,
      maximum: 1e12,
      meaning: "Strength of the penalty on half the squared weights, against the sum of losses.",
      search: { scale: "log", from: 1e-3, to: 1e3 },
    },
    {
      kind: "number",
      name: "l1",
      default: 0,
      minimum: 0,
      maximum: 1e12,
      meaning: "Strength of the penalty on absolute weights, which sets useless ones to 0.",
    },
    classWeightsSpec,
    {
      kind: "number",
      name: "tolerance",
      default: 1e-4,
      minimum: 1e-12,
      maximum: 1,
      meaning: "The fit ends when no derivative of the mean loss is larger.",
    },
    {
      kind: "integer",
      name: "maxIterations",
      default: 500,
      minimum: 1,
      maximum: 1e6,
      meaning: "The fit ends after as many iterations at most.",
    },
  ],
  sparse: true,
  missing: false,
  fit: (x, y, options) => fitStream(rowsInMemory(x, y), options),
  fitStream,
  fromJson: (json) => LinearClassifier.fromJson(json),
};

async function fitStream(rows: RowStream, options: FitOptions): Promise<Fitted> {
  const p = resolveParameters<LogisticParameters>(logisticRegression.parameters, options.parameters);
  const { passes } = await weighClasses(classRows(logisticRegression, rows, options), p.classWeights);
  const { labels } = passes;
  const loss = labels.values.length === 2 ? logisticLoss : softmaxLoss(labels.values.length);
  const pacer = new Pacer(options.signal);
  const moments = await columnMoments(passes, pacer);
  const objective = new ScoreObjective(passes, loss, { moments, penalty: p, pacer });
  const point = new Float64Array(objective.size);
  const checkpoints = new Checkpoints(options);
  await minimise(objective, point, {
    tolerance: p.tolerance,
    maxIterations: p.maxIterations,
    l1: objective.l1,
    resume: options.resume,
    onStep: (step, value, state) => {
      options.onProgress?.(step, p.maxIterations, value);
      checkpoints.offer(state);
    },
  });
  return new LinearClassifier({ labels, ...objective.model(point) });
}
