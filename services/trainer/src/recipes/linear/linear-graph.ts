import { GraphBuilder } from "@aimass/onnx";
import type { LinearModel } from "./linear-model.ts";

/**
 * The model as one graph: x FP32 [N, features] → y FP32 [N, 1], centring and scaling included. It calculates in double precision inside, so that the only
 * rounding against the trainer's own prediction is that of the result to FP32. The scales are divided into the weights rather than being a step of their
 * own, because ONNX Runtime's fusion of a scalar scale with a MatMul keeps the scale as FP32. Feature names are in the file's metadata, as JSON under
 * "features".
 */
export function linearGraph(model: LinearModel, features: readonly string[]): Uint8Array {
  const n = features.length;
  const graph = new GraphBuilder("linear", { metadata: { features: JSON.stringify(features), recipe: "linear" } });
  const x = graph.input("x", "FP32", ["N", n]);
  const means = graph.constant("mean", "FP64", [n], model.means);
  const slopes = model.weights.map((weight, j) => weight / (model.scales[j] as number));
  const weights = graph.constant("weight", "FP64", [n, 1], slopes);
  const intercept = graph.constant("intercept", "FP64", [1], Float64Array.of(model.intercept));
  const double = 11;
  const float = 1;
  const wide = graph.node("Cast", [x], { to: { int: double } });
  const centred = graph.node("Sub", [wide, means]);
  const sum = graph.node("Add", [graph.node("MatMul", [centred, weights]), intercept]);
  graph.output(graph.node("Cast", [sum], { to: { int: float } }, { outputs: ["y"] }), "FP32", ["N", 1]);
  return graph.toBytes();
}
