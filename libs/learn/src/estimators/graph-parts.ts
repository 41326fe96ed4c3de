import type { GraphBuilder } from "@aimass/onnx";
import type { GraphOutput } from "../estimator.ts";
import type { ClassLabels } from "../targets.ts";

/** Element types as ONNX numbers them, for Cast. */
const float = 1;
const double = 11;

/** The value in double precision: estimators calculate in it, so that the only rounding against predict() is that of the result. */
export function toDouble(graph: GraphBuilder, value: string): string {
  return graph.node("Cast", [value], { to: { int: double } });
}

/** Makes FP64 [N, 1] the value of a regression. */
export function addNumber(graph: GraphBuilder, value: string): readonly GraphOutput[] {
  const name = graph.node("Cast", [value], { to: { int: float } }, { outputs: ["value"] });
  return [{ name, datatype: "FP32", shape: ["N", 1] }];
}

/** Makes scores and probabilities, both FP64 [N, classes], the answer of a classification: the label is the one with the highest score. */
export function addClasses(
  graph: GraphBuilder,
  { scores, probabilities, labels }: { scores: string; probabilities: string; labels: ClassLabels },
): readonly GraphOutput[] {
  const count = labels.values.length;
  const best = graph.node("ArgMax", [scores], { axis: { int: 1 }, keepdims: { int: 0 } });
  const names =
    labels.datatype === "BYTES"
      ? graph.constant("classes", "BYTES", [count], labels.values)
      : graph.constant("classes", "INT64", [count], BigInt64Array.from(labels.values));
  const label = graph.node("Gather", [names, best], { axis: { int: 0 } }, { outputs: ["label"] });
  const outputs = ["probabilities"];
  const name = graph.node("Cast", [probabilities], { to: { int: float } }, { outputs });
  return [
    { name: label, datatype: labels.datatype, shape: ["N"] },
    { name, datatype: "FP32", shape: ["N", count] },
  ];
}

export function addSoftmax(graph: GraphBuilder, scores: string): string {
  return graph.node("Softmax", [scores], { axis: { int: 1 } });
}

/** A score [N, 1] in favour of the second of two classes, as scores of both whose softmax is the logistic function of it. */
export function addBothScores(graph: GraphBuilder, score: string): string {
  return graph.node("Mul", [score, graph.constant("both", "FP64", [1, 2], Float64Array.of(-0.5, 0.5))]);
}
