import { TensorProto_DataType as Type, type TypeProto, TypeProtoSchema } from "@aimass/api/onnx";
import { create } from "@bufbuild/protobuf";
import { GraphBuilder, type GraphOptions } from "../graph-builder.ts";

const ml = "ai.onnx.ml";

/** Classes as exporters list them: all numbers or all texts. */
export type Classes = readonly number[] | readonly string[];

/**
 * A classifier as skl2onnx and catboost write them: x FP32[N, classes] → label, and "probabilities", a sequence of maps from class to probability. The probabilities are the
 * inputs divided by their sum.
 */
export function mapsModel(classes: Classes, options: GraphOptions = {}): Uint8Array {
  return mapsGraph(classes, options).toBytes();
}

/** `mapsModel` before it is written, to be built upon. */
export function mapsGraph(classes: Classes, options: GraphOptions = {}): GraphBuilder {
  const graph = new GraphBuilder("maps", { domains: { [ml]: 1 }, ...options });
  const x = graph.input("x", "FP32", ["N", classes.length]);
  const scores = classifier(graph, x, classes, "label");
  graph.node("ZipMap", [scores], listed(classes, "int64s"), { domain: ml, outputs: ["probabilities"] });
  graph.output("label", typeof classes[0] === "string" ? "BYTES" : "INT64", ["N"]);
  graph.output("probabilities", "FP32", []);
  const keyType = typeof classes[0] === "string" ? Type.STRING : Type.INT64;
  const valueType = tensorOf(Type.FLOAT);
  const map = create(TypeProtoSchema, { value: { case: "mapType", value: { keyType, valueType } } });
  retype(graph, "probabilities", sequenceOf(map));
  return graph;
}

/** Two classifiers on one input, as skl2onnx writes a MultiOutputClassifier: x FP32[N, 3] → "probabilities", a sequence of tensors [N, 3] and [N, 2]. */
export function sequenceModel(): Uint8Array {
  return sequenceGraph().toBytes();
}

/** `sequenceModel` before it is written, to be built upon. */
export function sequenceGraph(): GraphBuilder {
  const graph = new GraphBuilder("sequence", { domains: { [ml]: 1 } });
  const x = graph.input("x", "FP32", ["N", 3]);
  const parts = [classifier(graph, x, ["a", "b", "c"], "first"), classifier(graph, x, [0, 1], "second")];
  graph.node("SequenceConstruct", parts, {}, { outputs: ["probabilities"] });
  graph.output("probabilities", "FP32", []);
  retype(graph, "probabilities", sequenceOf(tensorOf(Type.FLOAT)));
  return graph;
}

/** Gives an output of a graph another type than that of a tensor. */
export function retype(graph: GraphBuilder, output: string, type: TypeProto): void {
  const value = graph.toGraph().output.find(({ name }) => name === output);
  if (value !== undefined) value.type = type;
}

export function sequenceOf(elemType: TypeProto): TypeProto {
  return create(TypeProtoSchema, { value: { case: "sequenceType", value: { elemType } } });
}

function tensorOf(elemType: Type): TypeProto {
  return create(TypeProtoSchema, { value: { case: "tensorType", value: { elemType } } });
}

/** Class k's score is input k; returns the scores divided by their sum. */
function classifier(graph: GraphBuilder, x: string, classes: Classes, label: string): string {
  const features = 3;
  const coefficients = classes.flatMap((_, k) =>
    Array.from({ length: Math.max(features, classes.length) }, (_, i) => Number(i === k)),
  );
  const scores = graph.freshName("scores");
  const attributes = { coefficients: { floats: coefficients }, intercepts: { floats: classes.map(() => 0) } };
  graph.node(
    "LinearClassifier",
    [x],
    { ...attributes, ...listed(classes, "ints") },
    { domain: ml, outputs: [label, scores] },
  );
  return graph.node("Normalizer", [scores], { norm: { string: "L1" } }, { domain: ml });
}

function listed(classes: Classes, numbers: string) {
  const texts = classes.filter((one) => typeof one === "string");
  return texts.length > 0
    ? { classlabels_strings: { strings: texts } }
    : { [`classlabels_${numbers}`]: { ints: classes.map(Number) } };
}
