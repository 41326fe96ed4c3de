import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "@aimass/api/onnx";
import { create } from "@bufbuild/protobuf";
import { type Datatype, elementTypeOf } from "./element-types.ts";
import { writeModel } from "./model-file.ts";

/** An axis: its length, or the name of a dynamic one. */
export type Axis = number | string;

/** Elements of a constant: numbers in the typed array of their type (FP16 and BF16 as their bits), or strings. */
export type TensorData = ArrayBufferView | readonly string[];

/** An attribute with its type, because ONNX tells 1 and 1.0 apart. */
export type Attribute =
  | { readonly int: number | bigint }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: TensorProto }
  | { readonly graph: GraphProto };

export type Attributes = Readonly<Record<string, Attribute>>;

/** What a model says of itself. */
export interface GraphOptions {
  /** Version of the ai.onnx operators; 17 unless given. */
  readonly opset?: number;
  /** Further operator sets by domain, for instance `{"ai.onnx.ml": 3}`. */
  readonly domains?: Readonly<Record<string, number>>;
  /** ONNX file format version; 8 unless given. */
  readonly irVersion?: number;
  readonly producer?: string;
  /** Free text by key, kept in the file. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Begins every name made up here: a body of Loop, If or Scan must not use the names of the graph around it. */
  readonly prefix?: string;
}

/** How a node differs from the usual. */
export interface NodeOptions {
  /** Names of its outputs; one made up unless given. */
  readonly outputs?: readonly string[];
  readonly domain?: string;
}

/** Where the data of an external constant stands. */
export interface ExternalData {
  /** Path inside the bundle. */
  readonly location: string;
  readonly offset?: number;
  readonly length?: number;
}

/**
 * Builds an ONNX graph, value by value: every method returns the name of the value it made.
 *
 *     const graph = new GraphBuilder("scaled");
 *     const x = graph.input("x", "FP32", ["N", 4]);
 *     const mean = graph.constant("mean", "FP32", [4], Float32Array.of(1, 2, 3, 4));
 *     graph.output(graph.node("Sub", [x, mean], {}, { outputs: ["y"] }), "FP32", ["N", 4]);
 *     const bytes = graph.toBytes();
 */
export class GraphBuilder {
  private readonly graph: GraphProto;
  private readonly options: GraphOptions;
  private readonly taken = new Set<string>();
  private made = 0;

  constructor(name: string, options: GraphOptions = {}) {
    this.graph = create(GraphProtoSchema, { name });
    this.options = options;
  }

  input(name: string, datatype: Datatype, shape: readonly Axis[]): string {
    this.graph.input.push(valueInfo(name, datatype, shape));
    this.taken.add(name);
    return name;
  }

  /** Declares a value made by a node as an output of the graph. */
  output(name: string, datatype: Datatype, shape: readonly Axis[]): string {
    this.graph.output.push(valueInfo(name, datatype, shape));
    return name;
  }

  /** A constant: weights, shapes, labels. An input of the same name makes it that input's default. */
  constant(name: string, datatype: Datatype, shape: readonly number[], data: TensorData): string {
    this.graph.initializer.push(tensor(name, datatype, shape, data));
    this.taken.add(name);
    return name;
  }

  /** A constant whose data stands in another file of the bundle. */
  externalConstant(name: string, datatype: Datatype, shape: readonly number[], data: ExternalData): string {
    const entries = { location: data.location, offset: data.offset, length: data.length };
    this.graph.initializer.push(
      create(TensorProtoSchema, {
        name,
        dims: shape.map(BigInt),
        dataType: elementTypeOf(datatype).onnx,
        dataLocation: DataLocation.EXTERNAL,
        externalData: Object.entries(entries).flatMap(([key, value]) =>
          value === undefined ? [] : [{ key, value: String(value) }],
        ),
      }),
    );
    return name;
  }

  /** Adds an operation and returns its first output. An empty input name leaves an optional input out. */
  node(operator: string, inputs: readonly string[], attributes: Attributes = {}, options: NodeOptions = {}): string {
    const outputs = options.outputs ?? [this.freshName(operator.toLowerCase())];
    for (const output of outputs) this.taken.add(output);
    this.graph.node.push(
      create(NodeProtoSchema, {
        opType: operator,
        name: `${operator}_${this.graph.node.length}`,
        domain: options.domain ?? "",
        input: [...inputs],
        output: [...outputs],
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      }),
    );
    return outputs[0] as string;
  }

  /** A name no value of this graph has yet. */
  freshName(stem: string): string {
    const { prefix = "" } = this.options;
    for (;;) {
      const name = `${prefix}${stem}_${++this.made}`;
      if (!this.taken.has(name)) return name;
    }
  }

  /** The graph alone, as the body of a Loop, If or Scan. */
  toGraph(): GraphProto {
    return this.graph;
  }

  /** The ONNX file. */
  toBytes(): Uint8Array {
    const { opset = 17, domains = {}, irVersion = 8, producer = "aimass", metadata = {} } = this.options;
    const operatorSets = Object.entries({ "": opset, ...domains });
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(irVersion),
      opsetImport: operatorSets.map(([domain, version]) => ({ domain, version: BigInt(version) })),
      producerName: producer,
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: this.graph,
    });
    return writeModel(model);
  }
}

/** A tensor as ONNX stores it; for attributes such as ConstantOfShape's value. */
export function tensor(name: string, datatype: Datatype, shape: readonly number[], data: TensorData): TensorProto {
  const type = elementTypeOf(datatype);
  const common = { name, dims: shape.map(BigInt), dataType: type.onnx };
  if (!ArrayBuffer.isView(data)) {
    return create(TensorProtoSchema, { ...common, stringData: data.map((text) => new TextEncoder().encode(text)) });
  }
  const count = shape.reduce((product, axis) => product * axis, 1);
  if (data.byteLength !== count * type.size) {
    throw new RangeError(`The constant "${name}" of ${datatype}[${shape}] has ${data.byteLength} bytes of data.`);
  }
  return create(TensorProtoSchema, {
    ...common,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
}

function valueInfo(name: string, datatype: Datatype, shape: readonly Axis[]): ValueInfoProto {
  const dim = shape.map((axis) => ({
    value:
      typeof axis === "string"
        ? { case: "dimParam" as const, value: axis }
        : { case: "dimValue" as const, value: BigInt(axis) },
  }));
  const tensorType = { elemType: elementTypeOf(datatype).onnx, shape: { dim } };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: "tensorType", value: tensorType } } });
}

function attribute(name: string, value: Attribute): AttributeProto {
  const utf8 = new TextEncoder();
  if ("int" in value) return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) });
  if ("float" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  if ("string" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: utf8.encode(value.string) });
  }
  if ("ints" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.ints.map(BigInt) });
  }
  if ("floats" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...value.floats] });
  }
  if ("strings" in value) {
    const strings = value.strings.map((text) => utf8.encode(text));
    return create(AttributeProtoSchema, { name, type: AttributeType.STRINGS, strings });
  }
  if ("tensor" in value) return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: value.tensor });
  return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value.graph });
}
