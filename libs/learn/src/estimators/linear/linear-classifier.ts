import { AimassError } from "@aimass/core";
import type { GraphBuilder } from "@aimass/onnx";
import type { Fitted, GraphOutput } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { type Json, packArray, unpackArray } from "../../packed-array.ts";
import type { ClassLabels, ClassPrediction } from "../../targets.ts";
import { bothScores, highest, labelsFromJson, labelsToJson, softmaxPrediction } from "../class-scores.ts";
import { addBothScores, addClasses, addSoftmax, toDouble } from "../graph-parts.ts";
import { checkWidth } from "../training-rows.ts";
import { linearScores } from "./linear-scores.ts";

/** How scores become probabilities where they are no log-odds: 1 / (1 + exp(−(slope · score + offset))) per output, then each row made to sum to 1. */
export interface Calibration {
  readonly slopes: Float64Array;
  readonly offsets: Float64Array;
}

export interface LinearScores {
  readonly labels: ClassLabels;
  /** [cols × outputs]; one output a class, or a single one in favour of the second of two classes. */
  readonly weights: Float64Array;
  readonly intercepts: Float64Array;
  readonly calibration?: Calibration | undefined;
}

/** Scores x · weights + intercepts; the class with the highest one; probabilities by softmax or calibration. */
export class LinearClassifier implements Fitted {
  readonly scores: LinearScores;

  constructor(scores: LinearScores) {
    this.scores = scores;
  }

  get cols(): number {
    return this.scores.weights.length / this.scores.intercepts.length;
  }

  predict(x: Matrix): ClassPrediction {
    checkWidth(x, this.cols);
    const { labels, calibration, intercepts } = this.scores;
    const raw = linearScores(x, this.scores.weights, intercepts);
    const scores = intercepts.length === 1 ? bothScores(raw) : raw;
    if (calibration === undefined) return softmaxPrediction(scores, labels);
    const indices = highest(scores, labels.values.length);
    return { kind: "classes", indices, probabilities: calibrated(raw, calibration), labels };
  }

  addToGraph(graph: GraphBuilder, input: string): readonly GraphOutput[] {
    const { labels, weights, intercepts, calibration } = this.scores;
    const outputs = intercepts.length;
    const w = graph.constant("weights", "FP64", [this.cols, outputs], weights);
    const b = graph.constant("intercepts", "FP64", [outputs], intercepts);
    const raw = graph.node("Add", [graph.node("MatMul", [toDouble(graph, input), w]), b]);
    const scores = outputs === 1 ? addBothScores(graph, raw) : raw;
    const probabilities =
      calibration === undefined ? addSoftmax(graph, scores) : addCalibrated(graph, raw, calibration);
    return addClasses(graph, { scores, probabilities, labels });
  }

  toJson(): Json {
    const { labels, weights, intercepts, calibration } = this.scores;
    return {
      kind: "linear-classifier",
      labels: labelsToJson(labels),
      weights: packArray(weights),
      intercepts: packArray(intercepts),
      calibration:
        calibration === undefined
          ? null
          : { slopes: packArray(calibration.slopes), offsets: packArray(calibration.offsets) },
    };
  }

  static fromJson(json: Json): LinearClassifier {
    const { kind, labels, weights, intercepts, calibration } = json as { [key: string]: Json };
    if (kind !== "linear-classifier") throw new AimassError("DATA_LOSS", "The saved model is not a linear classifier.");
    const saved = calibration as { slopes: Json; offsets: Json } | null;
    return new LinearClassifier({
      labels: labelsFromJson(labels),
      weights: unpackArray("Float64Array", weights),
      intercepts: unpackArray("Float64Array", intercepts),
      calibration: saved
        ? { slopes: unpackArray("Float64Array", saved.slopes), offsets: unpackArray("Float64Array", saved.offsets) }
        : undefined,
    });
  }
}

function calibrated(raw: Float64Array, { slopes, offsets }: Calibration): Float64Array {
  const outputs = slopes.length;
  const each = raw.map((score, i) => 1 / (1 + Math.exp(-(slopes[i % outputs]! * score + offsets[i % outputs]!))));
  if (outputs === 1) {
    return Float64Array.from({ length: 2 * raw.length }, (_, i) => (i % 2 === 1 ? each[i >> 1]! : 1 - each[i >> 1]!));
  }
  for (let at = 0; at < each.length; at += outputs) {
    let sum = 0;
    for (let k = 0; k < outputs; k++) sum += each[at + k]!;
    for (let k = 0; k < outputs; k++) each[at + k]! /= sum;
  }
  return each;
}

function addCalibrated(graph: GraphBuilder, raw: string, { slopes, offsets }: Calibration): string {
  const outputs = slopes.length;
  const slope = graph.constant("slopes", "FP64", [outputs], slopes);
  const offset = graph.constant("offsets", "FP64", [outputs], offsets);
  const each = graph.node("Sigmoid", [graph.node("Add", [graph.node("Mul", [raw, slope]), offset])]);
  if (outputs === 1) {
    const one = graph.constant("one", "FP64", [1], Float64Array.of(1));
    return graph.node("Concat", [graph.node("Sub", [one, each]), each], { axis: { int: 1 } });
  }
  const axes = graph.constant("class_axis", "INT64", [1], BigInt64Array.of(1n));
  return graph.node("Div", [each, graph.node("ReduceSum", [each, axes], { keepdims: { int: 1 } })]);
}
