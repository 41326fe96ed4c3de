import { GraphBuilder } from "@aimass/onnx";

/** y = 2x + 1 over rows of four numbers, with `ballast` bytes of unused weights to give the file a size. */
export function affineModel(ballast = 0): Uint8Array {
  const graph = new GraphBuilder("affine");
  const x = graph.input("x", "FP32", ["N", 4]);
  const two = graph.constant("two", "FP32", [1], Float32Array.of(2));
  const one = graph.constant("one", "FP32", [1], Float32Array.of(1));
  if (ballast > 0)
    graph.constant(
      "ballast",
      "UINT8",
      [ballast],
      new Uint8Array(ballast).map((_, i) => i % 251),
    );
  const doubled = graph.node("Mul", [x, two]);
  graph.output(graph.node("Add", [doubled, one], {}, { outputs: ["y"] }), "FP32", ["N", 4]);
  return graph.toBytes();
}

/** Looks numbers up in a table of three: an index beyond it makes the run fail. */
export function lookupModel(): Uint8Array {
  const graph = new GraphBuilder("lookup");
  const index = graph.input("index", "INT64", ["N"]);
  const table = graph.constant("table", "FP32", [3], Float32Array.of(10, 20, 30));
  graph.output(graph.node("Gather", [table, index], {}, { outputs: ["y"] }), "FP32", ["N"]);
  return graph.toBytes();
}

/** Sums over the rows: it has a batch axis, but does not keep the rows apart. */
export function mixingModel(): Uint8Array {
  const graph = new GraphBuilder("mixing", { opset: 11 });
  const x = graph.input("x", "FP32", ["N", 2]);
  graph.output(
    graph.node("ReduceSum", [x], { axes: { ints: [0] }, keepdims: { int: 1 } }, { outputs: ["y"] }),
    "FP32",
    [1, 2],
  );
  return graph.toBytes();
}

/** Adds 1 as often as its input says, one step after another: as slow as one likes. */
export function slowModel(): Uint8Array {
  const body = new GraphBuilder("body");
  body.input("i", "INT64", []);
  const going = body.input("going", "BOOL", []);
  const value = body.input("value", "FP32", [1]);
  const one = body.constant("one", "FP32", [1], Float32Array.of(1));
  body.output(body.node("Identity", [going], {}, { outputs: ["goes_on"] }), "BOOL", []);
  body.output(body.node("Add", [value, one], {}, { outputs: ["next"] }), "FP32", [1]);
  const graph = new GraphBuilder("slow");
  const steps = graph.input("steps", "INT64", []);
  const yes = graph.constant("yes", "BOOL", [], Uint8Array.of(1));
  const zero = graph.constant("zero", "FP32", [1], Float32Array.of(0));
  graph.output(
    graph.node("Loop", [steps, yes, zero], { body: { graph: body.toGraph() } }, { outputs: ["y"] }),
    "FP32",
    [1],
  );
  return graph.toBytes();
}

/** Divides the least whole number by -1, whatever comes in: the process dies by SIGFPE on x86. */
export function crashingModel(): Uint8Array {
  const graph = new GraphBuilder("crashing");
  const x = graph.input("x", "INT32", ["N", 1]);
  const zero = graph.node("Sub", [x, x]);
  const least = graph.node("Add", [zero, graph.constant("least", "INT32", [1], Int32Array.of(-(2 ** 31)))]);
  const minusOne = graph.node("Sub", [zero, graph.constant("one", "INT32", [1], Int32Array.of(1))]);
  graph.output(graph.node("Div", [least, minusOne], {}, { outputs: ["y"] }), "INT32", ["N", 1]);
  return graph.toBytes();
}

/** Takes one, two or three rows, and no more. */
export function threeRowsModel(): Uint8Array {
  const graph = new GraphBuilder("three_rows");
  const x = graph.input("x", "FP32", ["N", 2]);
  const table = graph.constant("table", "FP32", [3, 2], Float32Array.of(1, 1, 2, 2, 3, 3));
  const whole = (name: string, value: bigint) => graph.constant(name, "INT64", [1], BigInt64Array.of(value));
  const shape = graph.node("Shape", [x]);
  const rows = graph.node("Slice", [shape, whole("from", 0n), whole("to", 1n)]);
  const first = graph.node("Slice", [table, "from", rows]);
  graph.output(graph.node("Add", [x, graph.node("Identity", [first])], {}, { outputs: ["y"] }), "FP32", ["N", 2]);
  return graph.toBytes();
}

/** A convolution with 64 channels over images of `side` × `side`: some 32 × side² × 16 bytes a row. */
export function imageModel(side: number): Uint8Array {
  const graph = new GraphBuilder("image");
  const x = graph.input("x", "FP32", ["N", 3, side, side]);
  const w = graph.constant("w", "FP32", [64, 3, 3, 3], new Float32Array(64 * 27).fill(0.01));
  const relu = graph.node("Relu", [graph.node("Conv", [x, w], { pads: { ints: [1, 1, 1, 1] } })]);
  graph.output(graph.node("GlobalAveragePool", [relu], {}, { outputs: ["y"] }), "FP32", ["N", 64, 1, 1]);
  return graph.toBytes();
}
