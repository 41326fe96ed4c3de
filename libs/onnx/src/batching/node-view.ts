import type { AttributeProto, GraphProto, NodeProto, TensorProto } from "@aimass/api/onnx";
import { isNatural, numberOf, type Size, unknownSize } from "./size.ts";
import type { Common, Elements, Mixed, Value } from "./value.ts";

/** What an operator does with rows: the values of its outputs, by those of its inputs. One value stands for the first output alone. */
export type Rule = (node: NodeView) => Value | readonly Value[];

/** Rules by operator, and where its meaning is written down. */
export interface OperatorTable {
  readonly source: string;
  readonly rules: Readonly<Record<string, Rule>>;
}

/** Analyses the body of a Loop, If or Scan that stands in the graph around it. */
export type BodyAnalysis = (graph: GraphProto, inputs: readonly Value[]) => readonly Value[];

/** Longest name of a node or operator that a sentence repeats. */
const longestName = 80;

/** Where a node stands and what comes in. */
export interface NodeOptions {
  /** Tells nodes apart within an analysis. */
  readonly id: string;
  readonly opset: number;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  readonly body: BodyAnalysis;
}

/** A node as rules read it: inputs as values, attributes with their defaults. */
export class NodeView {
  readonly operator: string;
  /** Version of the operator set the node is of. */
  readonly opset: number;
  /** One for each input; undefined where an optional one is left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputCount: number;
  readonly body: BodyAnalysis;
  readonly #node: NodeProto;
  readonly #options: NodeOptions;

  constructor(node: NodeProto, options: NodeOptions) {
    this.operator = node.opType;
    this.opset = options.opset;
    this.inputs = options.inputs;
    this.outputCount = node.output.length;
    this.body = options.body;
    this.#node = node;
    this.#options = options;
  }

  get #attributes(): ReadonlyMap<string, AttributeProto> {
    return this.#options.attributes;
  }

  /** The same node with other inputs. */
  with(inputs: readonly (Value | undefined)[]): NodeView {
    return new NodeView(this.#node, { ...this.#options, inputs });
  }

  /** An input that the operator requires. Without it no runtime loads the graph, so what it would be does not matter. */
  input(index: number): Value {
    return this.inputs[index] ?? this.mixed(`lacks its input ${index}`);
  }

  has(index: number): boolean {
    return this.inputs[index] !== undefined;
  }

  /** Elements of an input, where they are known in whole or part. */
  elements(index: number): Elements | undefined {
    const value = this.inputs[index];
    return value?.kind === "common" || value?.kind === "sizes" ? value.elements : undefined;
  }

  /** Numbers of an input that is a known constant. */
  numbers(index: number): readonly number[] | undefined {
    const numbers = this.elements(index)?.map(numberOf);
    return numbers?.includes(undefined) ? undefined : (numbers as readonly number[] | undefined);
  }

  int(name: string): number | undefined;
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined {
    const attribute = this.#attributes.get(name);
    return attribute === undefined ? fallback : Number(attribute.i);
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.ints.map(Number);
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.floats;
  }

  text(name: string): string | undefined;
  text(name: string, fallback: string): string;
  text(name: string, fallback?: string): string | undefined {
    const attribute = this.#attributes.get(name);
    return attribute === undefined ? fallback : decode(attribute.s);
  }

  texts(name: string): readonly string[] | undefined {
    return this.#attributes.get(name)?.strings.map(decode);
  }

  tensor(name: string): TensorProto | undefined {
    return this.#attributes.get(name)?.t;
  }

  graph(name: string): GraphProto | undefined {
    return this.#attributes.get(name)?.g;
  }

  hasAttribute(name: string): boolean {
    return this.#attributes.has(name);
  }

  /** A length that is this node's own: unknown, the same for all requests of a run. */
  fresh(label: string | number): Size {
    return unknownSize(`${this.#options.id}.${label}`);
  }

  /** A number as the length of an axis: its own where it is none, or not known. */
  length(size: Size | undefined, label: string | number): Size {
    return size !== undefined && isNatural(size) ? size : this.fresh(label);
  }

  /** The sentence that this node couples rows. */
  mixed(what: string): Mixed {
    const name = this.#node.name === "" ? "" : ` ${quoted(this.#node.name)}`;
    return { kind: "mixed", reason: `The node${name} (${shorten(operatorName(this.#node))}) ${what}.` };
  }
}

/** "ReduceSum", "com.microsoft.Attention". */
export function operatorName({ domain, opType }: Pick<NodeProto, "domain" | "opType">): string {
  return domain === "" || domain === "ai.onnx" ? opType : `${domain}.${opType}`;
}

export function quoted(name: string): string {
  return JSON.stringify(shorten(name));
}

/** Whether a value is the same for every run. */
export function isCommon(value: Value | undefined): value is Common | undefined {
  return value === undefined || value.kind === "common";
}

function shorten(name: string): string {
  return name.length > longestName ? `${name.slice(0, longestName - 1)}…` : name;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
