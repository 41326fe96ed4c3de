import type { GraphProto, NodeProto } from "@aimass/api/onnx";

/** Values that a graph lists for an input: categories it encodes, keys it looks up, words it counts. A model may refuse all others. */
export interface ListedValues {
  readonly values: readonly (string | bigint)[];
  /** By column, where the graph takes the input apart along axis 1. */
  readonly columns: ReadonlyMap<number, readonly (string | bigint)[]>;
}

/** Attributes that list values, and of which operators. */
const lists: Readonly<Record<string, readonly string[]>> = {
  OneHotEncoder: ["cats_strings", "cats_int64s"],
  LabelEncoder: ["keys_strings", "keys_int64s", "classes_strings"],
  CategoryMapper: ["cats_strings", "cats_int64s"],
  TfIdfVectorizer: ["pool_strings", "pool_int64s"],
};

/** Values of one list that are tried. */
const mostValues = 64;

/** Steps back from a node to the input its values come from. */
const mostSteps = 64;

/** Values the graph lists, by the name of the input they are compared with. */
export function listedValues(graph: GraphProto): ReadonlyMap<string, ListedValues> {
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const inputs = new Set(graph.input.map(({ name }) => name));
  const found = new Map<string, { values: (string | bigint)[]; columns: Map<number, (string | bigint)[]> }>();
  for (const node of graph.node) {
    const values = valuesOf(node);
    if (values.length === 0) continue;
    const origin = originOf(node.input[0] ?? "", makers, inputs, graph);
    if (origin === undefined) continue;
    const entry = found.get(origin.input) ?? {
      values: [] as (string | bigint)[],
      columns: new Map<number, (string | bigint)[]>(),
    };
    entry.values.push(...values);
    if (origin.column !== undefined)
      entry.columns.set(origin.column, [...(entry.columns.get(origin.column) ?? []), ...values]);
    found.set(origin.input, entry);
  }
  return found;
}

function valuesOf(node: NodeProto): (string | bigint)[] {
  const names = Object.hasOwn(lists, node.opType) ? (lists[node.opType] as readonly string[]) : [];
  const attributes = node.attribute.filter(({ name }) => names.includes(name));
  return attributes
    .flatMap(({ strings, ints }) => [...strings.map((bytes) => new TextDecoder().decode(bytes)), ...ints])
    .slice(0, mostValues);
}

interface Origin {
  readonly input: string;
  readonly column: number | undefined;
}

/** Back along first inputs, with the column that is picked on the way. */
function originOf(
  value: string,
  makers: ReadonlyMap<string, NodeProto>,
  inputs: ReadonlySet<string>,
  graph: GraphProto,
): Origin | undefined {
  let column: number | undefined;
  let name = value;
  for (let step = 0; step < mostSteps; step += 1) {
    if (inputs.has(name)) return { input: name, column };
    const node = makers.get(name);
    if (node === undefined) return undefined;
    if (node.opType === "ArrayFeatureExtractor" || node.opType === "Gather") column = indexOf(node.input[1], graph);
    name = node.input[0] ?? "";
  }
  return undefined;
}

function indexOf(name: string | undefined, graph: GraphProto): number | undefined {
  const tensor = graph.initializer.find((initializer) => initializer.name === name);
  if (tensor === undefined || tensor.dims.reduce((product, size) => product * size, 1n) !== 1n) return undefined;
  const [typed] = tensor.int64Data;
  if (typed !== undefined) return Number(typed);
  const { buffer, byteOffset, byteLength } = tensor.rawData;
  return byteLength === 8 ? Number(new DataView(buffer, byteOffset, 8).getBigInt64(0, true)) : undefined;
}
