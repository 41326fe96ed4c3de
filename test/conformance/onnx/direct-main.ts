/** A process that runs cases with onnxruntime-node itself, one a message, and says whether their outputs are the expected ones. Some crash it. */
import { bytesFromElements, bytesOf, type ElementArray, elementsOf, stringElements, type Tensor } from "@aimass/oip";
import { elementTypeOf, loadRuntime } from "@aimass/onnx";
import type { Tensor as RuntimeTensor } from "onnxruntime-node";
import { type OnnxCase, readDataSet } from "./case.ts";
import { difference } from "./compare.ts";

const runtime = await loadRuntime();
const options = { executionProviders: ["cpu"], logSeverityLevel: 4, intraOpNumThreads: 1 } as const;

async function problemOf(one: OnnxCase): Promise<string | undefined> {
  const session = await runtime.InferenceSession.create(one.modelFile, options);
  try {
    for (const name of one.dataSets) {
      const { inputs, outputs } = readDataSet(one, name);
      const feeds = Object.fromEntries(inputs.map((input) => [input.name, toRuntime(input)]));
      const results = Object.entries(await session.run(feeds));
      const wanted = new Map(outputs.map((output) => [output.name, output]));
      const got = results.flatMap(([output, tensor]) => fromRuntime(output, tensor, wanted.get(output)));
      const different = difference(got, outputs, one);
      if (different !== undefined) return different;
    }
    return undefined;
  } finally {
    await session.release();
  }
}

function toRuntime(tensor: Tensor): RuntimeTensor {
  const type = elementTypeOf(tensor.datatype).runtime;
  if (type === undefined) throw new Error(`onnxruntime-node takes no ${tensor.datatype}`);
  const data = tensor.datatype === "BYTES" ? stringElements(tensor.bytes) : elementsOf(tensor.datatype, tensor.bytes);
  return new runtime.Tensor(type, data as RuntimeTensor.DataType, tensor.shape);
}

/** Under the expected datatype when the runtime's own name fits it. */
function fromRuntime(name: string, tensor: RuntimeTensor, wanted: Tensor | undefined): Tensor[] {
  if (wanted === undefined || elementTypeOf(wanted.datatype).runtime !== tensor.type) return [];
  const bytes =
    tensor.type === "string"
      ? bytesFromElements(tensor.data as string[])
      : bytesOf(tensor.data as unknown as ElementArray);
  return [{ name, datatype: wanted.datatype, shape: tensor.dims, bytes }];
}

process.on("disconnect", () => process.exit(0));
process.on("message", async (one: OnnxCase) => {
  try {
    process.send?.({ problem: await problemOf(one) });
  } catch (error) {
    process.send?.({ problem: (error as Error).message });
  }
});
process.send?.({ ready: true });
