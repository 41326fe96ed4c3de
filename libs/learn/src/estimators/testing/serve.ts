import { GraphBuilder } from "@aimass/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { declareOutputs, type Fitted, graphDomains } from "../../estimator.ts";
import type { DenseMatrix } from "../../matrix.ts";

/** The fitted estimator as an ONNX file of its own. */
export function toOnnx(fitted: Fitted): Uint8Array {
  const graph = new GraphBuilder("fitted", { domains: graphDomains });
  const x = graph.input("x", "FP32", ["N", fitted.cols]);
  declareOutputs(graph, fitted.addToGraph(graph, x));
  return graph.toBytes();
}

/** What ONNX Runtime answers for the rows. */
export async function serve(
  fitted: Fitted,
  x: DenseMatrix,
): Promise<Record<string, readonly (number | bigint | string)[]>> {
  const session = await InferenceSession.create(toOnnx(fitted), { intraOpNumThreads: 1 });
  try {
    const outputs = await session.run({ x: new Tensor("float32", x.data, [x.rows, x.cols]) });
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, Array.from(tensor.data as ArrayLike<number>)]),
    );
  } finally {
    await session.release();
  }
}
