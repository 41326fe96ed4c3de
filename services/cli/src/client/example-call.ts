import type { TensorSpec } from "@aimass/api/registry";
import type { ListedValues } from "@aimass/onnx";
import { describeFailure } from "../output/output.ts";
import type { Connection } from "./connection.ts";
import { infer, type ModelAddress, predict, type RestTensor } from "./rest-inference.ts";

/** What the inputs of a version are, and which values its graph lists for them. */
export interface ExampleOf {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly listed: ReadonlyMap<string, ListedValues>;
}

/** How an example is made. A model may refuse one and take another, so several are tried, the smallest first, as the registry's trial runs do. */
interface ExampleStyle {
  /** Length of dynamic axes, but for the batch. */
  readonly axisLength: number;
  /** Only the last axis of an input is so long. */
  readonly lastOnly: boolean;
  readonly integer: number;
}

const styles: readonly ExampleStyle[] = [
  { axisLength: 1, lastOnly: false, integer: 1 },
  { axisLength: 1, lastOnly: false, integer: 0 },
  ...[4, 16, 64, 224, 512].flatMap((axisLength) =>
    [false, true].map((lastOnly) => ({ axisLength, lastOnly, integer: 1 })),
  ),
];

/** Elements of an example at most. */
const mostElements = 1 << 22;

/** An example that the model answered, or the first and why it was refused. */
export interface ExampleCall {
  readonly inputs: readonly RestTensor[];
  /** What came back by REST v2, or by `/predict` where JSON has no word for the elements; undefined when no example was taken. */
  readonly answer:
    | { readonly outputs: readonly RestTensor[] }
    | { readonly predictions: readonly unknown[] }
    | undefined;
  /** Why the first example was refused, where all were. */
  readonly refusal: string | undefined;
}

/** Calls a model with examples until it takes one. What the model refuses is no error: it serves all the same. */
export async function callWithExample(connection: Connection, at: ModelAddress, of: ExampleOf): Promise<ExampleCall> {
  let refusal: string | undefined;
  const first = exampleOf(of, styles[0] as ExampleStyle);
  for (const style of styles) {
    const inputs = exampleOf(of, style);
    if (inputs.some(({ data }) => data.length > mostElements)) continue;
    try {
      const answer = hasHalves(of)
        ? await predict(connection, at, { inputs: columnsOf(inputs) })
        : await infer(connection, at, inputs);
      return { inputs, answer, refusal: undefined };
    } catch (error) {
      const { code, message } = describeFailure(error, "");
      refusal ??= message;
      if (code !== "INVALID_ARGUMENT") break;
    }
  }
  return { inputs: first, answer: undefined, refusal };
}

/** Whether an element is FP16 or BF16, which REST v2 carries as binary alone; `/predict` takes numbers for them. */
export function hasHalves({
  inputs,
  outputs,
}: {
  readonly inputs: readonly { readonly datatype: string }[];
  readonly outputs: readonly { readonly datatype: string }[];
}): boolean {
  return [...inputs, ...outputs].some(({ datatype }) => datatype === "FP16" || datatype === "BF16");
}

/** Inputs as `/predict` takes them: nested lists by name. */
export function columnsOf(inputs: readonly RestTensor[]): Record<string, unknown> {
  return Object.fromEntries(inputs.map(({ name, shape, data }) => [name, nested(shape, data)]));
}

function nested(shape: readonly number[], data: readonly unknown[]): unknown {
  const [length, ...rest] = shape;
  if (length === undefined) return data[0];
  if (rest.length === 0) return data;
  const each = rest.reduce((product, axis) => product * axis, 1);
  return Array.from({ length }, (_, i) => nested(rest, data.slice(i * each, (i + 1) * each)));
}

function exampleOf({ inputs, listed }: ExampleOf, style: ExampleStyle): RestTensor[] {
  const batches = new Set(inputs.map(({ axisNames }) => axisNames[0] ?? "").filter((name) => name !== ""));
  return inputs.map((spec) => {
    const { name, datatype } = spec;
    const shape = spec.shape.map((axis, index) => {
      if (axis >= 0n) return Number(axis);
      const isBatch = index === 0 || batches.has(spec.axisNames[index] ?? "");
      return isBatch || (style.lastOnly && index !== spec.shape.length - 1) ? 1 : style.axisLength;
    });
    const length = Math.min(
      shape.reduce((product, axis) => product * axis, 1),
      mostElements + 1,
    );
    const lists = listed.get(name);
    const columns = shape.at(-1) ?? 1;
    const element = (index: number) => {
      const value = (lists?.columns.get(index % columns) ?? lists?.values)?.[0];
      if (datatype === "BYTES")
        return typeof value === "string" ? value : (spec.column?.categories[0] ?? "How are you?");
      if (datatype === "INT64" && typeof value === "bigint") return Number(value);
      if (datatype === "BOOL") return true;
      return /^(FP|BF)/.test(datatype) ? 0.5 : style.integer;
    };
    return { name, datatype, shape, data: Array.from({ length }, (_, index) => element(index)) };
  });
}
