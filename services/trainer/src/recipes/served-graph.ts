import { declareOutputs, type Features, type Fitted, featureGraphOptions } from "@aimass/learn";
import { type Attributes, type Datatype, GraphBuilder, type NodeOptions, type TensorData } from "@aimass/onnx";

/** Names of a model's outputs. */
export interface OutputNames {
  /** Of a regression. */
  readonly value: string;
  /** Of a classification. */
  readonly label: string;
  readonly probabilities: string;
}

/** What the outputs of a model of these columns are called: "y", or "label" and "probabilities"; `predicted_…` where a column, an input of the model, has one of these names. */
export function outputNames(columns: readonly string[]): OutputNames {
  const [value = ""] = namesBeside(["y"], columns);
  const [label = "", probabilities = ""] = namesBeside(["label", "probabilities"], columns);
  return { value, label, probabilities };
}

function namesBeside(usual: readonly string[], columns: readonly string[]): readonly string[] {
  let names = usual;
  while (names.some((name) => columns.includes(name))) names = names.map((name) => `predicted_${name}`);
  return names;
}

export interface GraphFacts {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Words that the dataset was read with as "no value". */
  readonly missing?: readonly string[];
}

/** Features and estimator as one graph: an input for each column, outputs as `outputNames` says. Equal fits give equal bytes. */
export function servedGraph(
  features: Features,
  fitted: Fitted,
  { metadata = {}, missing = [] }: GraphFacts = {},
): Uint8Array {
  const columns = features.columns.map(({ name }) => name);
  const graph = new ServedGraph(columns, metadata);
  const { output } = features.addToGraph(graph, missing);
  declareOutputs(graph, fitted.addToGraph(graph, output));
  return graph.toBytes();
}

/** Keeps the names of constants and values away from those of columns: a constant named as an input would become that input's default. */
class ServedGraph extends GraphBuilder {
  readonly #prefix: string;
  readonly #outputs: ReadonlyMap<string, string>;

  constructor(columns: readonly string[], metadata: Readonly<Record<string, string>>) {
    let prefix = "model/";
    while (columns.some((name) => name.startsWith(prefix))) prefix += "/";
    super("model", { ...featureGraphOptions, metadata, prefix });
    this.#prefix = prefix;
    this.#outputs = new Map(Object.entries(outputNames(columns)));
  }

  override constant(name: string, datatype: Datatype, shape: readonly number[], data: TensorData): string {
    return super.constant(`${this.#prefix}${name}`, datatype, shape, data);
  }

  override node(
    operator: string,
    inputs: readonly string[],
    attributes?: Attributes,
    options: NodeOptions = {},
  ): string {
    const outputs = options.outputs?.map((name) => this.#outputs.get(name) ?? name);
    return super.node(operator, inputs, attributes, outputs === undefined ? options : { ...options, outputs });
  }
}
