import { GraphBuilder } from "@aimass/onnx";

/** Loads, and then runs until it is killed: a loop of 2⁶² rounds. x FP32[1] → y FP32[1]. */
export function endlessModel(): Uint8Array {
  const body = new GraphBuilder("round");
  body.input("round", "INT64", []);
  body.input("going", "BOOL", []);
  body.input("state", "FP32", [1]);
  body.output(body.node("Identity", ["going"], {}, { outputs: ["goes_on"] }), "BOOL", []);
  body.output(body.node("Tanh", ["state"], {}, { outputs: ["next"] }), "FP32", [1]);
  const graph = new GraphBuilder("endless");
  const x = graph.input("x", "FP32", [1]);
  const rounds = graph.constant("rounds", "INT64", [], BigInt64Array.of(2n ** 62n));
  const yes = graph.constant("yes", "BOOL", [], Uint8Array.of(1));
  graph.output(
    graph.node("Loop", [rounds, yes, x], { body: { graph: body.toGraph() } }, { outputs: ["y"] }),
    "FP32",
    [1],
  );
  return graph.toBytes();
}

/** A few hundred bytes of file that want 8 GB to run. x FP32[1] → y FP32[1]. */
export function greedyModel(): Uint8Array {
  const graph = new GraphBuilder("greedy");
  const x = graph.input("x", "FP32", [1]);
  const shape = graph.constant("shape", "INT64", [1], BigInt64Array.of(2_000_000_000n));
  const wide = graph.node("Expand", [x, shape]);
  const axes = graph.constant("axes", "INT64", [1], BigInt64Array.of(0n));
  graph.output(
    graph.node("ReduceSum", [graph.node("Tanh", [wide]), axes], { keepdims: { int: 1 } }, { outputs: ["y"] }),
    "FP32",
    [1],
  );
  return graph.toBytes();
}

/** Uses an operator that no runtime has. */
export function unknownOperatorModel(): Uint8Array {
  const graph = new GraphBuilder("strange");
  const x = graph.input("x", "FP32", ["N", 4]);
  graph.output(graph.node("FlyToTheMoon", [x], {}, { outputs: ["y"] }), "FP32", ["N", 4]);
  return graph.toBytes();
}
