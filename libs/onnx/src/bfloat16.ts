import {
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as Type,
  type ValueInfoProto,
} from "@aimass/api/onnx";
import { clone, create } from "@bufbuild/protobuf";

/** An adapted model: what it takes and gives as FP32 in place of BF16. */
export interface AdaptedModel {
  readonly model: ModelProto;
  /** Names of inputs that were BF16 and are FP32 now. */
  readonly inputs: ReadonlySet<string>;
  /** Names of outputs that were BF16 and are FP32 now. */
  readonly outputs: ReadonlySet<string>;
}

/**
 * ONNX Runtime's JavaScript binding takes no BF16 tensors, though the runtime computes with them. This gives such a model FP32 inputs and
 * outputs with a Cast behind or before each; every BF16 is exact in FP32, so nothing is lost. Undefined when no input or output is BF16.
 */
export function adaptBfloat16(original: ModelProto): AdaptedModel | undefined {
  if (original.graph === undefined || ![...original.graph.input, ...original.graph.output].some(isBfloat16))
    return undefined;
  const model = clone(ModelProtoSchema, original);
  const graph = model.graph as GraphProto;
  const defaults = new Set(graph.initializer.map((initializer) => initializer.name));
  const inputs = new Set<string>();
  const outputs = new Set<string>();
  for (const input of graph.input) {
    if (!isBfloat16(input) || defaults.has(input.name)) continue;
    inputs.add(input.name);
    const inner = `${input.name}/bfloat16`;
    renameUses(graph, input.name, inner);
    graph.node.unshift(castNode(input.name, inner, Type.BFLOAT16));
    setFloat(input);
  }
  for (const output of graph.output) {
    if (!isBfloat16(output)) continue;
    outputs.add(output.name);
    const inner = inputs.has(output.name) ? `${output.name}/bfloat16` : `${output.name}/result`;
    renameMade(graph, output.name, inner);
    graph.node.push(castNode(inner, output.name, Type.FLOAT));
    setFloat(output);
  }
  return { model, inputs, outputs };
}

function isBfloat16(value: ValueInfoProto): boolean {
  return value.type?.value.case === "tensorType" && value.type.value.value.elemType === Type.BFLOAT16;
}

function setFloat(value: ValueInfoProto): void {
  if (value.type?.value.case === "tensorType") value.type.value.value.elemType = Type.FLOAT;
}

function castNode(from: string, to: string, type: Type) {
  return create(NodeProtoSchema, {
    opType: "Cast",
    name: `${to}/cast`,
    input: [from],
    output: [to],
    attribute: [{ name: "to", type: AttributeType.INT, i: BigInt(type) }],
  });
}

/** Renames a value wherever it is read, in subgraphs too: their names share the outer scope. */
function renameUses(graph: GraphProto, from: string, to: string): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => (name === from ? to : name));
    for (const attribute of node.attribute) {
      for (const inner of attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs]) {
        renameUses(inner, from, to);
        for (const output of inner.output) if (output.name === from) output.name = to;
      }
    }
  }
}

function renameMade(graph: GraphProto, from: string, to: string): void {
  for (const node of graph.node) node.output = node.output.map((name) => (name === from ? to : name));
  renameUses(graph, from, to);
}
