import { type Attributes, type Axis, type Datatype, GraphBuilder, type GraphOptions } from "@aimass/onnx";
import type { ColumnType } from "./columns.ts";
import type { PlanColumn } from "./plan.ts";

/** What a graph with features must be built with: `new GraphBuilder(name, featureGraphOptions)`. */
export const featureGraphOptions = {
  opset: 20,
  irVersion: 9,
  domains: { "ai.onnx.ml": 4, "com.microsoft": 1 },
} as const satisfies GraphOptions;

/** ONNX's numbers of element types, for Cast. */
export const elementType = { float: 1, int64: 7, bool: 9, double: 11 } as const;

/** An input of the graph: one for each column the features read. */
export interface FeatureInput {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 is a dynamic axis. */
  readonly shape: readonly number[];
}

/** Operators outside the main set. */
const domainOf: Readonly<Record<string, string>> = {
  LabelEncoder: "ai.onnx.ml",
  Tokenizer: "com.microsoft",
  MurmurHash3: "com.microsoft",
};

/** A GraphBuilder with one input for each column and constants that name themselves. */
export class FeatureGraph {
  readonly builder: GraphBuilder;
  private readonly columns: ReadonlyMap<string, PlanColumn>;
  private readonly declared = new Map<string, FeatureInput>();
  /** Texts that mean "no value", beside "". */
  private readonly missing: readonly string[];
  private readonly cleaned = new Map<string, string>();

  /** `missing`: words that mean "no value" wherever they stand in a column. */
  constructor(builder: GraphBuilder, columns: readonly PlanColumn[], missing: readonly string[] = []) {
    this.builder = builder;
    this.missing = [...new Set(missing)].filter((word) => word !== "" && word.isWellFormed());
    this.columns = new Map(columns.map((column) => [column.name, column]));
    for (const column of columns) this.addInput(column);
  }

  get inputs(): FeatureInput[] {
    return [...this.declared.values()];
  }

  typeOf(column: string): ColumnType {
    return this.columns.get(column)?.type as ColumnType;
  }

  /** A column with everything that means "no value" as "" or NaN: whoever calls with the tensors themselves need not know the words. */
  valueOf(column: string): string {
    const known = this.cleaned.get(column);
    if (known !== undefined) return known;
    const cleaned = this.read(column);
    this.cleaned.set(column, cleaned);
    return cleaned;
  }

  node(operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const domain = domainOf[operator];
    return this.builder.node(operator, inputs, attributes, domain === undefined ? {} : { domain });
  }

  floats(data: ArrayLike<number>, shape: readonly number[] = [data.length]): string {
    return this.builder.constant(this.builder.freshName("floats"), "FP32", shape, Float32Array.from(data));
  }

  doubles(data: readonly number[], shape: readonly number[] = [data.length]): string {
    return this.builder.constant(this.builder.freshName("doubles"), "FP64", shape, Float64Array.from(data));
  }

  ints(data: readonly number[], shape: readonly number[] = [data.length]): string {
    return this.builder.constant(this.builder.freshName("ints"), "INT64", shape, BigInt64Array.from(data, BigInt));
  }

  strings(data: readonly string[], shape: readonly number[] = [data.length]): string {
    return this.builder.constant(this.builder.freshName("strings"), "BYTES", shape, data);
  }

  cast(value: string, to: keyof typeof elementType): string {
    return this.node("Cast", [value], { to: { int: elementType[to] } });
  }

  /** Values [N, a], [N, b], … side by side. */
  join(values: readonly string[]): string {
    return values.length === 1 ? (values[0] as string) : this.node("Concat", values, { axis: { int: 1 } });
  }

  /** A graph for the body of a Loop. */
  body(name: string): FeatureGraph {
    const prefix = `${this.builder.freshName(name)}/`;
    return new FeatureGraph(new GraphBuilder(name, { ...featureGraphOptions, prefix }), []);
  }

  /** As `readColumns` reads a batch. */
  private read(column: string): string {
    const { type, reading } = this.columns.get(column) as PlanColumn;
    if (reading?.kind === "date" || reading?.kind === "datetime") return column;
    if (type === "string") return this.cleanText(column);
    const cleaned = this.cleanNumber(column);
    if (reading === undefined) return cleaned;
    const shifted = this.node("Sub", [cleaned, this.doubles([reading.offset], [])]);
    const { unit } = reading;
    return this.cast(unit === 1 ? shifted : this.node("Div", [shifted, this.doubles([unit], [])]), "float");
  }

  private cleanText(column: string): string {
    if (this.missing.length === 0) return column;
    const isWord = this.node("LabelEncoder", [column], {
      keys_strings: { strings: [...this.missing] },
      values_int64s: { ints: this.missing.map(() => 1) },
      default_int64: { int: 0 },
    });
    return this.node("Where", [this.cast(isWord, "bool"), this.strings([""]), column]);
  }

  private cleanNumber(column: string): string {
    const isWide = this.columns.get(column)?.reading !== undefined;
    const constant = (value: number) => (isWide ? this.doubles([value]) : this.floats([value]));
    const numbers = this.missing.filter((word) => word.trim() !== "").map(Number);
    const words = isWide ? numbers : numbers.map(Math.fround);
    const [first, ...rest] = new Set(words.filter(Number.isFinite));
    if (first === undefined || this.typeOf(column) !== "number") return column;
    const is = (value: number) => this.node("Equal", [column, constant(value)]);
    const isWord = rest.reduce((any, value) => this.node("Or", [any, is(value)]), is(first));
    return this.node("Where", [isWord, constant(Number.NaN), column]);
  }

  private addInput(column: PlanColumn): void {
    const [datatype, axes] = inputOf(column);
    this.builder.input(column.name, datatype, axes);
    const shape = axes.map((axis) => (typeof axis === "number" ? axis : -1));
    this.declared.set(column.name, { name: column.name, datatype, shape });
  }
}

function inputOf({ name, type, reading }: PlanColumn): [Datatype, Axis[]] {
  if (reading !== undefined) return ["FP64", ["N"]];
  if (type === "string") return ["BYTES", ["N"]];
  if (type === "image") return ["UINT8", ["N", `${name}_height`, `${name}_width`, 3]];
  return ["FP32", ["N"]];
}
