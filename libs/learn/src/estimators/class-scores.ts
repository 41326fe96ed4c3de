import type { Json } from "../packed-array.ts";
import type { ClassLabels, ClassPrediction } from "../targets.ts";

/** Scores [rows × classes] as a prediction by softmax; equal scores go to the first class. */
export function softmaxPrediction(scores: Float64Array, labels: ClassLabels): ClassPrediction {
  const count = labels.values.length;
  const indices = highest(scores, count);
  const probabilities = new Float64Array(scores.length);
  for (let r = 0; r < indices.length; r++) {
    const base = r * count;
    const top = scores[base + indices[r]!]!;
    let sum = 0;
    for (let c = 0; c < count; c++) {
      const e = Math.exp(scores[base + c]! - top);
      probabilities[base + c] = e;
      sum += e;
    }
    for (let c = 0; c < count; c++) probabilities[base + c]! /= sum;
  }
  return { kind: "classes", indices, probabilities, labels };
}

/** A score s for the second class as −s/2 and s/2, whose softmax is the logistic function of s. */
export function bothScores(scores: Float64Array): Float64Array {
  const both = new Float64Array(2 * scores.length);
  for (let r = 0; r < scores.length; r++) {
    both[2 * r] = -0.5 * scores[r]!;
    both[2 * r + 1] = 0.5 * scores[r]!;
  }
  return both;
}

/** Per row of [rows × classes] the class with the highest score, the first among equals. */
export function highest(scores: Float64Array, classes: number): Int32Array {
  const indices = new Int32Array(scores.length / classes);
  for (let r = 0; r < indices.length; r++) {
    const base = r * classes;
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[base + c]! > scores[base + best]!) best = c;
    indices[r] = best;
  }
  return indices;
}

export function labelsToJson({ datatype, values }: ClassLabels): Json {
  return { datatype, values: values.map(String) };
}

export function labelsFromJson(json: Json | undefined): ClassLabels {
  const { datatype, values } = json as { datatype: ClassLabels["datatype"]; values: readonly string[] };
  return datatype === "BYTES" ? { datatype, values } : { datatype, values: values.map(BigInt) };
}
