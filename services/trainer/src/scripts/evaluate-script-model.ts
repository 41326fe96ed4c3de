import { join } from "node:path";
import { type Batch, decodeImages, defaultPlan, FeatureFit } from "@aimass/learn";
import { type ProbeResult, probeModel } from "@aimass/onnx";
import type { TrainingData } from "../data/training-data.ts";
import { measure, prefixed } from "../evaluation/evaluate.ts";
import { importancesOf } from "../evaluation/importance.ts";
import { writeModelFiles } from "../evaluation/model-files.ts";
import { OnnxPredictor } from "../evaluation/onnx-predictor.ts";
import { PredictionBaseline } from "../evaluation/prediction-baseline.ts";
import { reportOf } from "../recipes/make-model.ts";
import { phase } from "../recipes/phase.ts";
import type { JobWork, MadeModel } from "../worker/job-work.ts";

type Evaluated = Omit<MadeModel, "files" | "howJson" | "code">;

const probeMs = 120_000;
const mostTrainingRows = 10_000;
const progressAt = { measure: 0.2, importance: 0.6, baseline: 0.9 } as const;

/** Tries a model that a script left in a process of its own, then measures it as if it were ours. Errors: those of the probe and of OnnxPredictor. */
export async function evaluateScriptModel(
  work: JobWork,
  data: TrainingData,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Evaluated> {
  const { report, spec, signal, threads } = work;
  report.progress(0, "trying the model");
  const directory = join(work.directory, "script-model");
  await writeModelFiles(files, directory);
  const { signature } = await probeModel({ directory, timeoutMs: probeMs, signal });
  await using predictor = await OnnxPredictor.open(join(directory, "model.onnx"), {
    columns: data.features,
    threads,
    ...(data.labels !== undefined && { classes: data.labels }),
  });
  const predictions = new PredictionBaseline(data.labels);
  const own = phase(report, progressAt.measure, progressAt.importance);
  const heldOut = await measure(
    data,
    predictor,
    { part: "test" },
    {
      signal,
      onBatch: (_, answer) => predictions.add(answer),
      onRows: (rows) => own.progress(rows / data.rows.test, "evaluating"),
    },
  );
  const metrics = { ...heldOut.metrics, ...(await otherParts(data, predictor, signal)) };
  const base = reportOf(data, heldOut, metrics);
  report.evaluated(base);
  const importances = await importancesOf(data, predictor, {
    repeats: spec.importanceRepeats,
    seed: spec.seed,
    columns: data.features,
    report: phase(report, progressAt.importance, progressAt.baseline),
    signal,
  });
  return {
    metrics,
    report: { ...base, importances },
    split: JSON.stringify(data.facts.description),
    baselineJson: await baselineOf(data, predictions, signal),
    inputs: `Inputs: ${predictor.inputs.join(", ")}. Features: ${data.features.join(", ")}.`,
    ...scoresOf(signature, data),
  };
}

async function otherParts(data: TrainingData, predictor: OnnxPredictor, signal: AbortSignal) {
  const training = await measure(data, predictor, { part: "train" }, { most: mostTrainingRows, signal });
  const train = prefixed("train_", training.metrics);
  if (data.rows.validation === 0) return train;
  const validation = await measure(data, predictor, { part: "validation" }, { signal });
  return { ...train, ...prefixed("validation_", validation.metrics) };
}

/** The classes with the output that scores them, when there is one. */
function scoresOf(
  { outputs }: ProbeResult["signature"],
  { labels }: TrainingData,
): Pick<Evaluated, "classes" | "scores"> {
  const classes = labels?.values.map(String) ?? [];
  const scores = outputs?.find(({ shape, datatype }) => {
    return Number(shape?.at(-1)) === classes.length && /^(FP|BF)/.test(datatype ?? "");
  });
  return classes.length === 0 || scores?.name === undefined ? { classes: [] } : { classes, scores: scores.name };
}

/** What the training part looks like, as that of recipes. */
async function baselineOf(data: TrainingData, predictions: PredictionBaseline, signal: AbortSignal): Promise<string> {
  const plan = defaultPlan({ columns: data.profiles }, "");
  const fitting = new FeatureFit(plan);
  const isEmpty = plan.features.length === 0;
  if (!isEmpty) {
    for await (const raw of data.batches({ part: "train" }, { signal })) {
      const batch: Batch = await decodeImages(raw, signal);
      fitting.add(batch);
    }
  }
  const columns = isEmpty ? [] : fitting.finish().baseline.map(({ column, ...facts }) => [column, facts] as const);
  const features = Object.fromEntries(columns);
  return JSON.stringify({ rows: data.rows.train, features, predictions: predictions.toJson() });
}
