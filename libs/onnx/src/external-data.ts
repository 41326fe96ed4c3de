import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type AttributeProto,
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from "@aimass/api/onnx";
import { AimassError } from "@aimass/core";
import { graphFileName, readModel } from "./model-file.ts";

/** A stretch of another file of the bundle that a tensor reads. */
export interface ExternalReference {
  readonly tensor: string;
  readonly location: string;
  readonly offset: string | undefined;
  readonly length: string | undefined;
}

/** Every external reference of a model: weights, attributes, subgraphs and functions included. */
export function externalReferences(model: ModelProto): ExternalReference[] {
  return externalTensors(model).map(reference);
}

/** Lets every tensor that reads the file at a key of `locations` read the one at its value instead. */
export function relocate(model: ModelProto, locations: ReadonlyMap<string, string>): void {
  for (const tensor of externalTensors(model)) {
    const entry = tensor.externalData.findLast(({ key }) => key === "location");
    const other = entry === undefined ? undefined : locations.get(entry.value);
    if (entry !== undefined && other !== undefined) entry.value = other;
  }
}

function externalTensors(model: ModelProto): TensorProto[] {
  const nodes = model.functions.flatMap((one) => one.node);
  const tensors = [...(model.graph === undefined ? [] : tensorsOf(model.graph)), ...tensorsOfNodes(nodes)];
  return tensors.filter(isExternal);
}

/**
 * Throws INVALID_ARGUMENT unless everything the graph in `directory` refers to stays inside it: the graph is the plain file
 * "model.onnx"; external data is in plain files of the bundle, reached by no link and no "..", and inside their length.
 */
export async function assertSafeBundle(directory: string): Promise<void> {
  await plainFileSize(directory, graphFileName, "The bundle");
  const model = readModel(await readFile(join(directory, graphFileName)));
  await assertSafeReferences(directory, model);
}

/** `assertSafeBundle` for a graph that is read already. */
export async function assertSafeReferences(directory: string, model: ModelProto): Promise<void> {
  const sizes = new Map<string, number>();
  for (const { tensor, location, offset, length } of externalReferences(model)) {
    const owner = `Tensor ${JSON.stringify(tensor)}`;
    assertInsidePath(location, owner);
    const size = sizes.get(location) ?? (await plainFileSize(directory, location, owner));
    sizes.set(location, size);
    const start = wholeNumber(offset ?? "0", owner, "offset");
    const end = length === undefined ? start : start + wholeNumber(length, owner, "length");
    if (end > size) throw unsafe(`${owner} reads to byte ${end} of ${JSON.stringify(location)}, which has ${size}.`);
  }
}

function* tensorsOf(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const node of nodes) for (const attribute of node.attribute) yield* tensorsOfAttribute(attribute);
}

function* tensorsOfAttribute(attribute: AttributeProto): Generator<TensorProto> {
  if (attribute.t !== undefined) yield attribute.t;
  yield* attribute.tensors;
  if (attribute.g !== undefined) yield* tensorsOf(attribute.g);
  for (const graph of attribute.graphs) yield* tensorsOf(graph);
}

/** Data counts as external as soon as anything of it says so; a half-said one is refused later by its missing location. */
function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === DataLocation.EXTERNAL || tensor.externalData.length > 0;
}

function reference(tensor: TensorProto): ExternalReference {
  const entry = (key: string) => tensor.externalData.findLast((one) => one.key === key)?.value;
  return { tensor: tensor.name, location: entry("location") ?? "", offset: entry("offset"), length: entry("length") };
}

function assertInsidePath(location: string, owner: string): void {
  const parts = location.split("/");
  const inside = parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (inside && !/[\\\0:]/.test(location)) return;
  const where = location === "" ? "names no file" : `is in ${JSON.stringify(location.slice(0, 200))}`;
  throw unsafe(`${owner} has external data that ${where}.`);
}

async function plainFileSize(directory: string, path: string, owner: string): Promise<number> {
  const parts = path.split("/");
  for (let depth = 1; depth <= parts.length; depth++) {
    const part = parts.slice(0, depth).join("/");
    const entry = await lstat(join(directory, part)).catch(() => undefined);
    if (entry === undefined)
      throw unsafe(`${owner} needs the file ${JSON.stringify(path.slice(0, 200))}, which the bundle lacks.`);
    if (depth < parts.length ? !entry.isDirectory() : !entry.isFile()) {
      throw unsafe(`${owner} needs ${JSON.stringify(part)}, which is a link or no plain file.`);
    }
    if (depth === parts.length) return entry.size;
  }
  return 0;
}

function wholeNumber(text: string, owner: string, what: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw unsafe(`${owner} has external data with the ${what} ${JSON.stringify(text.slice(0, 40))}.`);
}

function unsafe(message: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "UNSAFE_BUNDLE",
    field: graphFileName,
    remedy: 'The graph is "model.onnx"; external data stands in plain files beside or below it, by relative paths.',
  });
}
