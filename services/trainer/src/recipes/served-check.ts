import { AimassError } from "@aimass/core";
import type { Batch, ClassPrediction, Prediction } from "@aimass/learn";
import type { Moments } from "../evaluation/model-inputs.ts";
import { OnnxPredictor } from "../evaluation/onnx-predictor.ts";
import type { OutputNames } from "./served-graph.ts";

/** Largest difference between what the trainer predicts and what its graph answers; of numbers relative to the larger of 1 and the number. */
const tolerance = 1e-5;

/** Rows and what the trainer itself predicts for them. */
export interface ServedSample {
  readonly batch: Batch;
  readonly own: Prediction;
  /** Columns that the graph takes as days or seconds. */
  readonly moments: Moments;
}

/** Runs a graph over rows whose prediction is known. Throws FAILED_PRECONDITION (SKEW) when ONNX Runtime answers something else. */
export async function checkServed(
  onnx: Uint8Array,
  { batch, own, moments }: ServedSample,
  names: OutputNames,
): Promise<void> {
  await using predictor = await OnnxPredictor.open(onnx, { moments });
  for await (const { from, to, outputs } of predictor.outputs(batch)) {
    const data = (name: string) => (outputs.get(name)?.data ?? []) as ArrayLike<unknown>;
    if (own.kind === "numbers")
      compareNumbers(own.values.subarray(from, to), data(names.value) as ArrayLike<number>, from);
    else {
      const served = { probabilities: data(names.probabilities), labels: data(names.label) };
      compareClasses(rowsOf(own, from, to), { ...served, from });
    }
  }
}

function rowsOf(own: ClassPrediction, from: number, to: number): ClassPrediction {
  const classes = own.labels.values.length;
  const probabilities = own.probabilities.subarray(from * classes, to * classes);
  return { ...own, indices: own.indices.subarray(from, to), probabilities };
}

function compareNumbers(own: Float64Array, served: ArrayLike<number>, from: number): void {
  for (const [row, value] of own.entries()) {
    const answer = served[row] ?? Number.NaN;
    if (!(Math.abs(answer - value) <= tolerance * Math.max(1, Math.abs(value)))) throw skew(from + row, value, answer);
  }
}

function compareClasses(
  own: ClassPrediction,
  {
    probabilities: served,
    labels,
    from,
  }: { probabilities: ArrayLike<unknown>; labels: ArrayLike<unknown>; from: number },
): void {
  const { probabilities, indices } = own;
  const classes = own.labels.values.length;
  for (const [at, value] of probabilities.entries()) {
    const answer = Number(served[at]);
    if (!(Math.abs(answer - value) <= tolerance)) throw skew(from + Math.floor(at / classes), value, answer);
  }
  for (const [row, index] of indices.entries()) {
    const answered = (own.labels.values as readonly unknown[]).indexOf(labels[row]);
    const chance = (c: number) => probabilities[row * classes + c] ?? Number.NaN;
    // Where two classes are as likely as each other either is right.
    if (answered !== index && !(Math.abs(chance(answered) - chance(index)) <= tolerance)) {
      throw skew(from + row, own.labels.values[index], labels[row]);
    }
  }
}

function skew(row: number, own: unknown, served: unknown): AimassError {
  const message = `The model's graph answers ${String(served)} for held-out row ${row + 1} of the sample, the trainer ${String(own)}.`;
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "SKEW",
    remedy: "No version was made. Scale columns of very large numbers, or use another recipe.",
  });
}
