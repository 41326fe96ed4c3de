import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  ValueInfoProto,
} from "@aimass/api/onnx";
import { constantValue } from "./constants.ts";
import { computeElements } from "./element-arithmetic.ts";
import { NodeView, type OperatorTable, operatorName, quoted, type Rule } from "./node-view.ts";
import { classical } from "./operators/classical.ts";
import { contrib } from "./operators/contrib.ts";
import { control } from "./operators/control.ts";
import { coupling, random } from "./operators/coupling.ts";
import { elementwise } from "./operators/elementwise.ts";
import { layout } from "./operators/layout.ts";
import { isPadded, paddedOutcome } from "./operators/padded.ts";
import { products } from "./operators/products.ts";
import { quantized } from "./operators/quantized.ts";
import { recurrentLayers } from "./operators/recurrent.ts";
import { reducing } from "./operators/reducing.ts";
import { selecting } from "./operators/selecting.ts";
import { spatial } from "./operators/spatial.ts";
import { text } from "./operators/text.ts";
import { rowCount, type Size, sizeOf, unknownSize } from "./size.ts";
import { common, isPlain, rowsOn, type Value } from "./value.ts";

/** What a graph says about its rows. */
export interface RowVerdict {
  /** Every output has one row for each row of the inputs, made of that row alone. */
  readonly proven: boolean;
  /** One sentence. */
  readonly reason: string;
}

const ordinary = merged(
  elementwise,
  layout,
  selecting,
  reducing,
  products,
  spatial,
  recurrentLayers,
  quantized,
  text,
  coupling,
);
/** Rules that are asked even where no input has rows: what they give may be different in every run. */
const strict: Readonly<Record<string, Rule>> = { ...random.rules, ...control.rules };
const rulesByDomain: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  "": { ...ordinary, ...strict },
  "ai.onnx": { ...ordinary, ...strict },
  "ai.onnx.ml": classical.rules,
  "com.microsoft": contrib.rules,
};

/** Nodes looked at, those of a loop's body and of a function once for each time. Some 10 µs each. */
const mostVisits = 500_000;

/** Functions that call functions: deeper than this is not followed. */
const deepest = 32;

/**
 * Whether the rows of axis 0 go through a graph each on their own, shown by its operators alone, whatever is in the rows. Inputs are taken to have the same number
 * of rows. What cannot be followed counts as coupling.
 */
export function analyseRows(model: ModelProto): RowVerdict {
  const { graph } = model;
  if (graph === undefined) return { proven: false, reason: "The file has no graph." };
  const defaults = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !defaults.has(name));
  const unfit =
    inputs.length === 0 ? "The model takes no inputs." : inputs.map(unfitInput).find((why) => why !== undefined);
  if (unfit !== undefined) return { proven: false, reason: unfit };
  const analysis = new Analysis(model);
  const scope = new Scope();
  for (const input of inputs) scope.set(input.name, inputValue(input));
  const outputs = followed(() => analysis.graph(graph, scope));
  if (typeof outputs === "string") return { proven: false, reason: outputs };
  for (const [index, value] of outputs.entries()) {
    const why = unfitOutput(graph.output[index]?.name ?? "", value);
    if (why !== undefined) return { proven: false, reason: why };
  }
  const nodes = graph.node.length === 1 ? "the graph's one node" : `all ${graph.node.length} nodes of the graph`;
  return { proven: true, reason: `Each row stays on its own through ${nodes}.` };
}

/** What a graph that is made to be too much gives: nothing proven. */
function followed<T>(follow: () => T): T | string {
  try {
    return follow();
  } catch (error) {
    if (error instanceof RangeError) return `The graph cannot be followed: ${error.message}`;
    throw error;
  }
}

/** The sources of all rules, for people. */
export const ruleSources: readonly string[] = [
  elementwise,
  layout,
  selecting,
  reducing,
  products,
  spatial,
  recurrentLayers,
  quantized,
  text,
  coupling,
  random,
  control,
  classical,
  contrib,
].map(({ source }) => source);

function merged(...tables: readonly OperatorTable[]): Record<string, Rule> {
  return Object.assign(Object.create(null), ...tables.map(({ rules }) => rules));
}

function unfitInput(input: ValueInfoProto): string | undefined {
  const dims = dimsOf(input);
  if (dims === undefined) return `The input ${quoted(input.name)} has no declared shape.`;
  const first = dims[0];
  if (first === undefined) return `The input ${quoted(input.name)} has no axes.`;
  return first.value.case === "dimValue" && first.value.value >= 0n
    ? `Axis 0 of the input ${quoted(input.name)} is fixed.`
    : undefined;
}

function unfitOutput(name: string, value: Value): string | undefined {
  switch (value.kind) {
    case "mixed":
      return value.reason;
    case "common":
    case "sizes":
      return `The output ${quoted(name)} has no rows: it does not depend on any.`;
    case "rows":
      if (isPadded(value)) return `The output ${quoted(name)} is padded to the longest row in the run.`;
      if (value.axis !== 0) return `The rows of the output ${quoted(name)} are on axis ${value.axis}.`;
      return isPlain(value) ? undefined : `The output ${quoted(name)} has not one row for each row of the inputs.`;
  }
}

function dimsOf({ type }: ValueInfoProto) {
  return type?.value.case === "tensorType" ? type.value.value.shape?.dim : undefined;
}

/** Names of axes are not believed: a request may give two inputs lengths that differ where the file has one name. */
function inputValue(input: ValueInfoProto): Value {
  const dims = dimsOf(input) ?? [];
  const shape = dims.map(({ value }, axis) =>
    value.case === "dimValue" && value.value >= 0n
      ? sizeOf(Number(value.value))
      : unknownSize(`${JSON.stringify(input.name)}.${axis}`),
  );
  return rowsOn([rowCount, ...shape.slice(1)], 0);
}

/** Values by name, those of the graphs around included. */
class Scope {
  /** Undefined: an input of a function that its caller leaves out. */
  readonly #values = new Map<string, Value | undefined>();
  readonly #around: Scope | undefined;

  constructor(around?: Scope) {
    this.#around = around;
  }

  set(name: string, value: Value | undefined): void {
    this.#values.set(name, value);
  }

  read(name: string): Value | undefined {
    if (this.#values.has(name)) return this.#values.get(name);
    if (this.#around !== undefined) return this.#around.read(name);
    return { kind: "mixed", reason: `The value ${quoted(name)} is made by no node before it is read.` };
  }
}

/** Where nodes stand: in the graph, or in a function with attributes of its caller. */
interface Place {
  readonly opsets: ReadonlyMap<string, number>;
  readonly attributes: ReadonlyMap<string, AttributeProto> | undefined;
  readonly path: string;
  readonly depth: number;
}

class Analysis {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  #visits = 0;
  readonly #root: Place;

  constructor(model: ModelProto) {
    this.#functions = new Map(model.functions.map((one) => [functionKey(one.domain, one.name, one.overload), one]));
    this.#root = { opsets: opsetsOf(model), attributes: undefined, path: "", depth: 0 };
  }

  /** The values of a graph's outputs; its inputs are in the scope. */
  graph(graph: GraphProto, scope: Scope, place = this.#root): Value[] {
    for (const initializer of graph.initializer) scope.set(initializer.name, constantValue(initializer));
    this.#nodes(graph.node, scope, place);
    return graph.output.map(({ name }) => scope.read(name) ?? common());
  }

  #nodes(nodes: readonly NodeProto[], scope: Scope, place: Place): void {
    for (const [index, node] of nodes.entries()) {
      const outputs = this.#node(node, scope, { ...place, path: `${place.path}/${index}` });
      node.output.forEach((name, at) => {
        if (name !== "") scope.set(name, outputs[at] ?? unfollowed(node, at));
      });
    }
  }

  #node(node: NodeProto, scope: Scope, place: Place): readonly Value[] {
    this.#visits += 1;
    if (this.#visits > mostVisits)
      throw new RangeError("The graph has too many nodes, functions and loops in each other.");
    const inputs = node.input.map((name) => (name === "" ? undefined : scope.read(name)));
    const attributes = new Map(node.attribute.map((attribute) => [attribute.name, resolved(attribute, place)]));
    const view = new NodeView(node, {
      id: place.path,
      opset: place.opsets.get(node.domain === "ai.onnx" ? "" : node.domain) ?? 1,
      inputs,
      attributes: new Map(
        [...attributes].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
      ),
      body: (graph, values) => this.#body(graph, values, scope, place),
    });
    const called = this.#functions.get(functionKey(node.domain, node.opType, node.overload));
    const rule = ruleOf(node);
    if (called !== undefined) {
      // Which of the two a runtime takes is its own choice.
      if (rule !== undefined) return [view.mixed("has the name of a function of the model and of an operator")];
      return this.#call(called, view, inputs, attributes, place);
    }
    if (rule === undefined) return node.output.map(() => view.mixed("is not known to keep rows apart"));
    return outcome(view, rule, isStrict(node));
  }

  #body(graph: GraphProto, values: readonly Value[], around: Scope, place: Place): Value[] {
    const scope = new Scope(around);
    graph.input.forEach(({ name }, index) => {
      scope.set(name, values[index] ?? common());
    });
    return this.graph(graph, scope, { ...place, path: `${place.path}{${graph.name}}` });
  }

  #call(
    called: FunctionProto,
    view: NodeView,
    inputs: readonly (Value | undefined)[],
    attributes: ReadonlyMap<string, AttributeProto | undefined>,
    place: Place,
  ): readonly Value[] {
    if (place.depth >= deepest)
      return called.output.map(() => view.mixed("calls itself, or too many functions in turn"));
    const scope = new Scope();
    const given = new Map(called.attributeProto.map((attribute) => [attribute.name, attribute]));
    for (const [name, attribute] of attributes) if (attribute !== undefined) given.set(name, attribute);
    for (const [index, name] of called.input.entries()) scope.set(name, inputs[index]);
    this.#nodes(called.node, scope, {
      opsets: opsetsOf(called),
      attributes: given,
      path: `${place.path}(${called.name})`,
      depth: place.depth + 1,
    });
    return called.output.map((name) => scope.read(name) ?? view.mixed("leaves an input of its function out"));
  }
}

function outcome(view: NodeView, rule: Rule, alwaysAsked: boolean): readonly Value[] {
  const { inputs } = view;
  const bad = inputs.find((value) => value?.kind === "mixed");
  if (bad !== undefined) return Array<Value>(Math.max(1, view.outputCount)).fill(bad);
  const result = inputs.some(isPadded) ? paddedOutcome(view) : (computeElements(view) ?? rule(view));
  const given = Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
  const values = given.map((value) => (isWhole(value) ? value : view.mixed("works on an axis that its input has not")));
  if (alwaysAsked || !inputs.every((value) => value === undefined || value.kind === "common")) return values;
  // Made of nothing but constants: whatever comes out, it is the same in every run.
  return Array.from({ length: view.outputCount }, (_, index) =>
    values[index]?.kind === "mixed" ? common() : (values[index] ?? common()),
  );
}

/** Whether all lengths are there: a rule that reads an axis beyond the last finds none. */
function isWhole(value: Value): boolean {
  return value.kind === "mixed" || (value.shape ?? []).every((size: Size | undefined) => size !== undefined);
}

function ruleOf({ domain, opType }: NodeProto): Rule | undefined {
  const rules = Object.hasOwn(rulesByDomain, domain) ? rulesByDomain[domain] : undefined;
  return rules !== undefined && Object.hasOwn(rules, opType) ? rules[opType] : undefined;
}

function isStrict({ domain, opType }: NodeProto): boolean {
  return (domain === "" || domain === "ai.onnx") && Object.hasOwn(strict, opType);
}

function resolved(attribute: AttributeProto, { attributes }: Place): AttributeProto | undefined {
  return attribute.refAttrName === "" ? attribute : attributes?.get(attribute.refAttrName);
}

function unfollowed(node: NodeProto, at: number): Value {
  return {
    kind: "mixed",
    reason: `Output ${at} of the node ${quoted(node.name)} (${operatorName(node)}) is not followed.`,
  };
}

function functionKey(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === "ai.onnx" ? "" : domain, name, overload]);
}

function opsetsOf({ opsetImport }: Pick<ModelProto | FunctionProto, "opsetImport">): ReadonlyMap<string, number> {
  return new Map(opsetImport.map(({ domain, version }) => [domain === "ai.onnx" ? "" : domain, Number(version)]));
}
