/**
 * Small models for tests, demos and benchmarks, made by GraphBuilder from seeded numbers. Names of inputs and outputs: "x" and "y"
 * where there is one of each.
 */
import type { Datatype } from "./element-types.ts";
import { type Axis, GraphBuilder } from "./graph-builder.ts";
import { seededNumbers } from "./probe/trial-inputs.ts";

export { mapsModel, sequenceModel } from "./served/exported-samples.ts";

/** One Gemm: x FP32[N,4] → y FP32[N,4]. */
export function tinyModel(seed = 1): Uint8Array {
  return mlpModel({ layers: [4, 4], seed });
}

/** Gemm and Relu layers: x FP32[N,layers[0]] → y FP32[N,layers[-1]]. Weights are drawn evenly within ±√(3/inputs). */
export function mlpModel({ layers, seed = 1 }: { layers: readonly number[]; seed?: number }): Uint8Array {
  const random = seededNumbers(seed);
  const graph = new GraphBuilder("mlp");
  let value = graph.input("x", "FP32", ["N", layers[0] as number]);
  for (let i = 1; i < layers.length; i++) {
    const [from, to] = [layers[i - 1] as number, layers[i] as number];
    const spread = 2 * Math.sqrt(3 / from);
    const weights = Float32Array.from({ length: from * to }, () => (random() - 0.5) * spread);
    const bias = Float32Array.from({ length: to }, () => (random() - 0.5) * 0.1);
    const w = graph.constant(`w${i}`, "FP32", [from, to], weights);
    const b = graph.constant(`b${i}`, "FP32", [to], bias);
    const last = i === layers.length - 1;
    value = graph.node("Gemm", [value, w, b], {}, { outputs: [last ? "y" : `h${i}`] });
    if (!last) value = graph.node("Relu", [value]);
  }
  graph.output("y", "FP32", ["N", layers.at(-1) as number]);
  return graph.toBytes();
}

/** Identity of any type the protocol carries: x → y, FP32[N] and so on; rank 0 and fixed shapes by `shape`. */
export function echoModel(datatype: Datatype, shape: readonly Axis[] = ["N"]): Uint8Array {
  const graph = new GraphBuilder("echo");
  const x = graph.input("x", datatype, shape);
  graph.output(graph.node("Identity", [x], {}, { outputs: ["y"] }), datatype, shape);
  return graph.toBytes();
}

/** text BYTES[N] → words INT64[N] (parted by spaces) and question BOOL[N] (ends in "?"). */
export function textModel(): Uint8Array {
  const graph = new GraphBuilder("text", { opset: 20, irVersion: 9 });
  const text = graph.input("text", "BYTES", ["N"]);
  graph.node("StringSplit", [text], {}, { outputs: ["parts", "words"] });
  graph.node("RegexFullMatch", [text], { pattern: { string: "(?s).*\\?\\s*" } }, { outputs: ["question"] });
  graph.output("words", "INT64", ["N"]);
  graph.output("question", "BOOL", ["N"]);
  return graph.toBytes();
}

/** text BYTES[N] → length INT64[N], in characters. Uses ONNX Runtime's own Tokenizer. */
export function textLengthModel(): Uint8Array {
  const graph = new GraphBuilder("text_length", { opset: 19, irVersion: 9, domains: { "com.microsoft": 1 } });
  const padding = "\u0001";
  const text = graph.input("text", "BYTES", ["N"]);
  const tokens = graph.node(
    "Tokenizer",
    [text],
    { mark: { int: 0 }, mincharnum: { int: 1 }, pad_value: { string: padding }, separators: { strings: [""] } },
    { domain: "com.microsoft" },
  );
  const pad = graph.constant("pad", "BYTES", [1], [padding]);
  const isText = graph.node("Not", [graph.node("Equal", [tokens, pad])]);
  const ones = graph.node("Cast", [isText], { to: { int: 7 } });
  const axes = graph.constant("axes", "INT64", [1], BigInt64Array.of(1n));
  graph.output(graph.node("ReduceSum", [ones, axes], { keepdims: { int: 0 } }, { outputs: ["length"] }), "INT64", [
    "N",
  ]);
  return graph.toBytes();
}

/**
 * A run as long as the caller says: iterations INT64[1] rounds of a 128 × 128 product (about 0.2 ms each on one core) → y FP32[1].
 * Not batchable.
 */
export function slowModel(): Uint8Array {
  const size = 128;
  const body = new GraphBuilder("round");
  body.input("round", "INT64", []);
  body.input("going", "BOOL", []);
  body.input("state", "FP32", [size, size]);
  body.output(body.node("Identity", ["going"], {}, { outputs: ["goes_on"] }), "BOOL", []);
  const next = body.node("Tanh", [body.node("MatMul", ["state", "mixer"])], {}, { outputs: ["next_state"] });
  body.output(next, "FP32", [size, size]);
  const graph = new GraphBuilder("slow");
  const random = seededNumbers(5);
  const mixer = Float32Array.from({ length: size * size }, () => (random() - 0.5) * 0.3);
  graph.constant("mixer", "FP32", [size, size], mixer);
  graph.constant("start", "FP32", [size, size], new Float32Array(size * size).fill(0.1));
  graph.constant("yes", "BOOL", [], Uint8Array.of(1));
  const axes = graph.constant("scalar", "INT64", [0], new BigInt64Array(0));
  const rounds = graph.node("Reshape", [graph.input("iterations", "INT64", [1]), axes]);
  const state = graph.node("Loop", [rounds, "yes", "start"], { body: { graph: body.toGraph() } });
  const one = graph.constant("one", "INT64", [1], BigInt64Array.of(1n));
  const mean = graph.node("ReduceMean", [state], { keepdims: { int: 0 } });
  graph.output(graph.node("Reshape", [mean, one], {}, { outputs: ["y"] }), "FP32", [1]);
  return graph.toBytes();
}

/** Convolution, pooling and a dense layer: x FP32[N,3,H,W] → y FP32[N,8], for images of any size from 3 × 3. */
export function convModel(seed = 3): Uint8Array {
  const random = seededNumbers(seed);
  const graph = new GraphBuilder("conv");
  const x = graph.input("x", "FP32", ["N", 3, "H", "W"]);
  const kernel = Float32Array.from({ length: 8 * 3 * 9 }, () => random() - 0.5);
  const w = graph.constant("kernel", "FP32", [8, 3, 3, 3], kernel);
  const features = graph.node("Conv", [x, w], { kernel_shape: { ints: [3, 3] }, pads: { ints: [1, 1, 1, 1] } });
  const pooled = graph.node("GlobalAveragePool", [graph.node("Relu", [features])]);
  graph.output(graph.node("Flatten", [pooled], { axis: { int: 1 } }, { outputs: ["y"] }), "FP32", ["N", 8]);
  return graph.toBytes();
}

/** Two inputs and two outputs: a FP32[N,2], b FP32[N,3] → total FP32[N,1] (all summed), joined FP32[N,5]. */
export function multiInputModel(): Uint8Array {
  const graph = new GraphBuilder("multi");
  const a = graph.input("a", "FP32", ["N", 2]);
  const b = graph.input("b", "FP32", ["N", 3]);
  const joined = graph.node("Concat", [a, b], { axis: { int: 1 } }, { outputs: ["joined"] });
  const axes = graph.constant("axes", "INT64", [1], BigInt64Array.of(1n));
  graph.node("ReduceSum", [joined, axes], { keepdims: { int: 1 } }, { outputs: ["total"] });
  graph.output("total", "FP32", ["N", 1]);
  graph.output("joined", "FP32", ["N", 5]);
  return graph.toBytes();
}

/** Subtracts the mean over axis 0, so that a sample's answer depends on its neighbours: x FP32[N,4] → y FP32[N,4]. Not batchable. */
export function batchMixingModel(): Uint8Array {
  const graph = new GraphBuilder("mixing");
  const x = graph.input("x", "FP32", ["N", 4]);
  const mean = graph.node("ReduceMean", [x], { axes: { ints: [0] }, keepdims: { int: 1 } });
  graph.output(graph.node("Sub", [x, mean], {}, { outputs: ["y"] }), "FP32", ["N", 4]);
  return graph.toBytes();
}

/** Splits texts at every "." and leaves empty pieces out, so that a row of the input gives any number of rows: text BYTES[N] → pieces BYTES[P]. Not batchable. */
export function splittingModel(): Uint8Array {
  const graph = new GraphBuilder("splitting", { opset: 20, irVersion: 9 });
  const text = graph.input("text", "BYTES", ["N"]);
  const parts = graph.node("StringSplit", [text], { delimiter: { string: "." } }, { outputs: ["parts", "counts"] });
  const flat = graph.node("Reshape", [parts, graph.constant("flat", "INT64", [1], BigInt64Array.of(-1n))]);
  const isEmpty = graph.node("Equal", [flat, graph.constant("empty", "BYTES", [1], [""])]);
  const kept = [flat, graph.node("Not", [isEmpty])];
  graph.output(graph.node("Compress", kept, { axis: { int: 0 } }, { outputs: ["pieces"] }), "BYTES", ["P"]);
  return graph.toBytes();
}

/**
 * A classifier as dynamic quantisation makes them, that gives the label alone: x FP32[N,16] → label INT64[N]. The scale is taken from all rows, so an outlier changes
 * the labels of its neighbours. Not batchable.
 */
export function quantisedLabelModel(): Uint8Array {
  const random = seededNumbers(11);
  const graph = new GraphBuilder("quantised_label");
  const hidden = graph.node("Relu", [quantisedProduct(graph, graph.input("x", "FP32", ["N", 16]), 16, 32, random)]);
  const scores = quantisedProduct(graph, hidden, 32, 3, random);
  graph.output(
    graph.node("ArgMax", [scores], { axis: { int: 1 }, keepdims: { int: 0 } }, { outputs: ["label"] }),
    "INT64",
    ["N"],
  );
  return graph.toBytes();
}

/** The mean of embedded ids, dynamically quantised: ids INT64[N,L], of 0 to 49 → scores FP32[N,3]. Not batchable. */
export function quantisedTokensModel(): Uint8Array {
  const random = seededNumbers(13);
  const graph = new GraphBuilder("quantised_tokens");
  const table = Float32Array.from({ length: 50 * 8 }, (_, i) => (random() - 0.5) * (i < 8 ? 40 : 1));
  const ids = graph.input("ids", "INT64", ["N", "L"]);
  const embedded = graph.node("Gather", [graph.constant("table", "FP32", [50, 8], table), ids]);
  const mean = graph.node("ReduceMean", [embedded], { axes: { ints: [1] }, keepdims: { int: 0 } });
  const scores = graph.node("Identity", [quantisedProduct(graph, mean, 8, 3, random)], {}, { outputs: ["scores"] });
  graph.output(scores, "FP32", ["N", 3]);
  return graph.toBytes();
}

/** value · weights as onnxruntime.quantization.quantize_dynamic writes it. */
function quantisedProduct(graph: GraphBuilder, value: string, from: number, to: number, random: () => number): string {
  const name = graph.freshName("quantised");
  const weights = Uint8Array.from({ length: from * to }, () => Math.floor(random() * 256));
  const w = graph.constant(`${name}/w`, "UINT8", [from, to], weights);
  const zero = graph.constant(`${name}/zero`, "UINT8", [], Uint8Array.of(128));
  const scale = graph.constant(`${name}/scale`, "FP32", [], Float32Array.of(0.01));
  const [elements, itsScale, itsZero] = ["elements", "scale_of_x", "zero_of_x"].map((part) => `${name}/${part}`);
  const made = { outputs: [elements, itsScale, itsZero] as string[] };
  graph.node("DynamicQuantizeLinear", [value], {}, made);
  const product = graph.node("MatMulInteger", [elements as string, w, itsZero as string, zero]);
  const real = graph.node("Cast", [product], { to: { int: 1 } });
  return graph.node("Mul", [real, graph.node("Mul", [itsScale as string, scale])]);
}

/** Scores of three classes: x FP32[N,3] → scores FP32[N,3], which sum to 1. */
export function softmaxModel(): Uint8Array {
  const graph = new GraphBuilder("softmax");
  const x = graph.input("x", "FP32", ["N", 3]);
  graph.output(graph.node("Softmax", [x], { axis: { int: -1 } }, { outputs: ["scores"] }), "FP32", ["N", 3]);
  return graph.toBytes();
}

/** A model with weights in a second file: x FP32[N,4] → y FP32[N,4]. */
export function externalDataModel(location = "weights/layer.bin"): {
  model: Uint8Array;
  files: Map<string, Uint8Array>;
} {
  const random = seededNumbers(9);
  const graph = new GraphBuilder("external");
  const x = graph.input("x", "FP32", ["N", 4]);
  const w = graph.externalConstant("w", "FP32", [4, 4], { location, offset: 0, length: 64 });
  graph.output(graph.node("MatMul", [x, w], {}, { outputs: ["y"] }), "FP32", ["N", 4]);
  const weights = Float32Array.from({ length: 16 }, random);
  return { model: graph.toBytes(), files: new Map([[location, new Uint8Array(weights.buffer)]]) };
}

/** Loads and then ends the process in its first run with SIGFPE (x86): −2³¹ ÷ −1 does not fit an INT32. x INT32[1] → y INT32[1]. */
export function crashModel(): Uint8Array {
  const graph = new GraphBuilder("crash");
  const nothing = graph.node("Sub", [graph.input("x", "INT32", [1]), "x"]);
  const least = graph.constant("least", "INT32", [1], Int32Array.of(-(2 ** 31)));
  return divideByMinusOne(graph, graph.node("Add", [nothing, least]), [1]);
}

/** Like `crashModel`, but only for the input −2³¹; −x for all others. x INT32[N] → y INT32[N]. */
export function poisonModel(): Uint8Array {
  const graph = new GraphBuilder("poison");
  return divideByMinusOne(graph, graph.input("x", "INT32", ["N"]), ["N"]);
}

function divideByMinusOne(graph: GraphBuilder, value: string, shape: readonly Axis[]): Uint8Array {
  const minusOne = graph.constant("minus_one", "INT32", [1], Int32Array.of(-1));
  graph.output(graph.node("Div", [value, minusOne], {}, { outputs: ["y"] }), "INT32", shape);
  return graph.toBytes();
}

/**
 * As a network exported in training mode: ONNX Runtime writes the running mean and variance of every request over the weights, so that answers change with what was
 * asked before. x FP32[N,2] → y FP32[N,2].
 */
export function trainingModel(): Uint8Array {
  const graph = new GraphBuilder("training");
  const both = (name: string, value: number) => graph.constant(name, "FP32", [2], Float32Array.of(value, value));
  const weights = [both("scale", 1), both("bias", 0), both("mean", 0), both("variance", 1)];
  const inputs = [graph.input("x", "FP32", ["N", 2]), ...weights];
  graph.node(
    "BatchNormalization",
    inputs,
    { training_mode: { int: 1 }, momentum: { float: 0.5 } },
    { outputs: ["y", "running_mean", "running_variance"] },
  );
  graph.output("y", "FP32", ["N", 2]);
  return graph.toBytes();
}

/** One number in, `length` numbers out. */
export function wideOutputModel(length: number): Uint8Array {
  const graph = new GraphBuilder("wide");
  const x = graph.input("x", "FP32", ["N", 1]);
  const ones = graph.constant("ones", "FP32", [1, 1], Float32Array.of(1));
  const shape = graph.constant("shape", "INT64", [2], BigInt64Array.of(1n, BigInt(length)));
  graph.output(graph.node("Add", [x, graph.node("Expand", [ones, shape])], {}, { outputs: ["y"] }), "FP32", [
    "N",
    length,
  ]);
  return graph.toBytes();
}

/** Rows of four numbers that come back as they went in, after about a second whatever their number. */
export function slowRowsModel(steps = 600_000): Uint8Array {
  const body = new GraphBuilder("body");
  body.input("i", "INT64", []);
  const going = body.input("going", "BOOL", []);
  const value = body.input("value", "FP32", [1]);
  body.output(body.node("Identity", [going], {}, { outputs: ["goes_on"] }), "BOOL", []);
  body.output(body.node("Neg", [value], {}, { outputs: ["next"] }), "FP32", [1]);
  const graph = new GraphBuilder("slow_rows");
  const x = graph.input("x", "FP32", ["N", 4]);
  const count = graph.constant("count", "INT64", [], BigInt64Array.of(BigInt(steps)));
  const yes = graph.constant("yes", "BOOL", [], Uint8Array.of(1));
  const zero = graph.constant("zero", "FP32", [1], Float32Array.of(0));
  const looped = graph.node("Loop", [count, yes, zero], { body: { graph: body.toGraph() } });
  graph.output(graph.node("Add", [x, looped], {}, { outputs: ["y"] }), "FP32", ["N", 4]);
  return graph.toBytes();
}
