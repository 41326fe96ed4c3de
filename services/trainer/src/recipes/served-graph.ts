import { declareOutputs, type Features, type Fitted, featureGraphOptions } from "@aimass/learn";
import { type Attributes, type Datatype, GraphBuilder, type NodeOptions, type TensorData } from "@aimass/onnx";

/** Names of a model's outputs, by task. No input may have one of them. */
export const outputNames = { regression: ["y"], classification: ["label", "probabilities"] } as const;

export interface GraphFacts {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Words that the dataset was read with as "no value". */
  readonly missing?: readonly string[];
}

/** Features and estimator as one graph: an input for each column, outputs as `outputNames`. Equal fits give equal bytes. */
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

/** Keeps the names of constants away from those of columns: a constant named as an input would become that input's default. */
class ServedGraph extends GraphBuilder {
  readonly #prefix: string;

  constructor(columns: readonly string[], metadata: Readonly<Record<string, string>>) {
    super("model", { ...featureGraphOptions, metadata });
    let prefix = "model/";
    while (columns.some((name) => name.startsWith(prefix))) prefix += "/";
    this.#prefix = prefix;
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
    const outputs = options.outputs?.map((name) => (name === "value" ? "y" : name));
    return super.node(operator, inputs, attributes, outputs === undefined ? options : { ...options, outputs });
  }
}
