import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataType as Type,
  type TypeProto,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "@aimass/api/onnx";
import { create } from "@bufbuild/protobuf";
import { classesOf, scoredClasses } from "./class-names.ts";
import { bodiesOf, isMlOperator, isOperator } from "./nodes.ts";

/** What cutting outputs did. */
export interface CutOutputs {
  readonly labels: ReadonlyMap<string, readonly string[]>;
  readonly adaptations: readonly string[];
}

/** A tensor that is served in place of an output, or of a part of it. */
interface Served {
  readonly tensor: string;
  readonly type: TypeProto;
  readonly labels: readonly string[] | undefined;
}

type Makers = ReadonlyMap<string, NodeProto>;

/** For models without operators of ai.onnx: catboost's import ai.onnx.ml alone. */
const identityOpset = 9n;

/** Whether an output is a map or a sequence that tensors can stand for. */
export function isCuttable({ graph }: ModelProto): boolean {
  if (graph === undefined) return false;
  const makers = makersOf(graph);
  const read = new Set(namesRead(graph.node));
  return graph.output.some((output) => servedOf(output, makers, read) !== undefined);
}

/**
 * Serves, in place, tensors for outputs that are no tensors: the input of a ZipMap under the output's own name, with the class names as labels; the elements of a
 * sequence, made by SequenceConstruct or by SequenceInsert at its end, as outputs `<name>_0`, `<name>_1` …. Outputs that are made another way are left.
 */
export function cutOutputs(model: ModelProto): CutOutputs {
  const graph = model.graph as GraphProto;
  const makers = makersOf(graph);
  const read = new Set(namesRead(graph.node));
  const labels = new Map<string, readonly string[]>();
  const adaptations: string[] = [];
  const taken = namesIn(graph);
  const nodes: NodeProto[] = [];
  const outputs: ValueInfoProto[] = [];
  for (const output of graph.output) {
    const served = servedOf(output, makers, read);
    if (served === undefined) {
      outputs.push(output);
      continue;
    }
    const isMap = !Array.isArray(served);
    const parts = isMap ? [served] : served;
    const names = parts.map((_, index) => (isMap ? output.name : freshName(`${output.name}_${index}`, taken)));
    for (const [index, part] of parts.entries()) {
      const name = names[index] as string;
      nodes.push(
        create(NodeProtoSchema, { opType: "Identity", name: `${name}/cut`, input: [part.tensor], output: [name] }),
      );
      outputs.push(create(ValueInfoProtoSchema, { name, type: part.type }));
      if (part.labels !== undefined) labels.set(name, part.labels);
    }
    adaptations.push(isMap ? mapSentence(output.name, labels) : sequenceSentence(output.name, names));
  }
  removeUnused(graph, outputs, nodes);
  graph.output = outputs;
  graph.node.push(...nodes);
  if (nodes.length > 0 && !model.opsetImport.some(({ domain }) => domain === "" || domain === "ai.onnx")) {
    model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "", version: identityOpset }));
  }
  return { labels, adaptations };
}

/** What can be served for an output: a tensor for its maps, tensors for its elements; undefined when it is a tensor itself or made in another way. */
function servedOf(
  output: ValueInfoProto,
  makers: Makers,
  read: ReadonlySet<string>,
): Served | readonly Served[] | undefined {
  const type = output.type?.value;
  if (type?.case !== "sequenceType") return undefined;
  const element = type.value.elemType;
  if (element?.value.case === "mapType")
    return read.has(output.name) ? undefined : mapsOf(output.name, element.value.value.valueType, makers);
  if (element?.value.case !== "tensorType") return undefined;
  const tensors = elementsOf(output.name, makers);
  if (tensors === undefined || tensors.length === 0) return undefined;
  const { elemType } = element.value.value;
  return tensors.map((tensor) => {
    const labels = scoredClasses(tensor, makers);
    return { tensor, type: labels === undefined ? element : scoresType(elemType, labels), labels };
  });
}

/**
 * Also of files that no runtime loads as they are: skl2onnx makes maps of FP64, and, of several targets, of a tensor with three axes and without classes. The tensor itself
 * is what its option "zipmap" leaves.
 */
function mapsOf(name: string, values: TypeProto | undefined, makers: Makers): Served | undefined {
  const node = behindIdentities(name, makers);
  const tensor = node?.input[0];
  if (node === undefined || tensor === undefined || !isMlOperator(node, "ZipMap")) return undefined;
  const elemType = values?.value.case === "tensorType" ? values.value.value.elemType : Type.FLOAT;
  const labels = classesOf(node);
  if (labels !== undefined) return { tensor, type: scoresType(elemType, labels), labels };
  return { tensor, type: create(TypeProtoSchema, { value: { case: "tensorType", value: { elemType } } }), labels };
}

function scoresType(elemType: number, labels: readonly string[]): TypeProto {
  const dim = [{}, { value: { case: "dimValue" as const, value: BigInt(labels.length) } }];
  return create(TypeProtoSchema, { value: { case: "tensorType", value: { elemType, shape: { dim } } } });
}

/** Names of the tensors a sequence is made of, where the graph says them. */
function elementsOf(name: string, makers: Makers): readonly string[] | undefined {
  const tensors: string[] = [];
  for (let node = behindIdentities(name, makers); node !== undefined; ) {
    if (isOperator(node, "SequenceConstruct")) return [...node.input, ...tensors];
    if (isOperator(node, "SequenceEmpty")) return tensors;
    const [sequence, tensor, position = ""] = node.input;
    if (!isOperator(node, "SequenceInsert") || sequence === undefined || tensor === undefined) return undefined;
    if (position !== "") return undefined;
    tensors.unshift(tensor);
    node = behindIdentities(sequence, makers);
  }
  return undefined;
}

function behindIdentities(name: string, makers: Makers): NodeProto | undefined {
  let node = makers.get(name);
  while (node !== undefined && isOperator(node, "Identity")) node = makers.get(node.input[0] ?? "");
  return node;
}

function makersOf(graph: GraphProto): Makers {
  return new Map(graph.node.flatMap((node) => node.output.map((output) => [output, node] as const)));
}

/** Removes the nodes that made what was cut, and those that worked for these alone: what `nodes` read and what stays an output is kept. */
function removeUnused(graph: GraphProto, outputs: readonly ValueInfoProto[], nodes: readonly NodeProto[]): void {
  const kept = graph.output.filter((output) => outputs.includes(output)).map(({ name }) => name);
  for (;;) {
    const read = new Set([...kept, ...namesRead([...graph.node, ...nodes])]);
    const isUsed = (node: NodeProto) => !isForMaps(node) || node.output.some((output) => read.has(output));
    const used = graph.node.filter(isUsed);
    if (used.length === graph.node.length) return;
    graph.node = used;
  }
}

function isForMaps(node: NodeProto): boolean {
  const operators = ["Identity", "SequenceConstruct", "SequenceInsert", "SequenceEmpty"];
  return isMlOperator(node, "ZipMap") || operators.some((operator) => isOperator(node, operator));
}

function namesRead(nodes: readonly NodeProto[]): string[] {
  return nodes.flatMap((node) => [
    ...node.input,
    ...bodiesOf(node).flatMap((body) => [...namesRead(body.node), ...body.output.map(({ name }) => name)]),
  ]);
}

/** Every name of a value: those of inner graphs share the scope around them. */
function namesIn(graph: GraphProto): Set<string> {
  const own = [...graph.input, ...graph.output, ...graph.initializer].map(({ name }) => name);
  const inner = graph.node.flatMap(bodiesOf).flatMap((body) => [...namesIn(body)]);
  return new Set([...own, ...graph.node.flatMap(({ input, output }) => [...input, ...output]), ...inner]);
}

function freshName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  while (taken.has(name)) name += "_";
  taken.add(name);
  return name;
}

function mapSentence(name: string, labels: ReadonlyMap<string, unknown>): string {
  const keys = labels.has(name) ? "; their keys are its labels" : "";
  return `The output ${JSON.stringify(name)} is the tensor that the file makes maps of${keys}.`;
}

function sequenceSentence(name: string, names: readonly string[]): string {
  const quoted = names.map((one) => JSON.stringify(one)).join(", ");
  return `The sequence ${JSON.stringify(name)} is served as ${quoted}.`;
}
