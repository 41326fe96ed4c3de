import type { TensorSpec } from "@aimass/onnx";
import { fitsClasses } from "../manifest.ts";
import type { ConfigTensor, ModelConfig } from "./model-config.ts";

/** Where a configuration says something else than the graph, which is what is served: a line each. */
export function differences(
  config: ModelConfig,
  graph: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] },
  labels: ReadonlyMap<string, readonly string[]>,
): string[] {
  const batched = (config.maxBatchSize ?? 0) > 0;
  return [
    ...config.inputs.flatMap((one) => ofTensor("input", one, graph.inputs, batched)),
    ...config.outputs.flatMap((one) => ofTensor("output", one, graph.outputs, batched)),
    ...[...labels].flatMap(([name, classes]) => {
      const output = graph.outputs.find((one) => one.name === name);
      if (output === undefined || fitsClasses(output, classes.length)) return [];
      return [`labels of ${name}: there are ${classes.length}, and its last axis has ${output.shape.at(-1)}`];
    }),
  ];
}

function ofTensor(what: string, wanted: ConfigTensor, all: readonly TensorSpec[], batched: boolean): string[] {
  const found = all.find(({ name }) => name === wanted.name);
  if (found === undefined) {
    const names = all.map(({ name }) => name).join(", ");
    return [`${what} ${wanted.name} of config.pbtxt: the graph has none of that name, but ${names}`];
  }
  const dims = batched ? [-1, ...wanted.dims] : wanted.dims;
  const shape = found.shape.map(Number);
  const datatype = wanted.datatype === "STRING" ? "BYTES" : wanted.datatype;
  return [
    ...(datatype !== "" && datatype !== found.datatype
      ? [`data_type ${wanted.datatype} of ${what} ${wanted.name}: the graph has ${found.datatype}`]
      : []),
    ...(wanted.dims.length > 0 && dims.join() !== shape.join()
      ? [`dims [${wanted.dims}] of ${what} ${wanted.name}: the graph has [${shape}]`]
      : []),
  ];
}
