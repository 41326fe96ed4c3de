import { TensorProto_DataType as Type } from "@aimass/api/onnx";
import type { NodeView } from "./node-view.ts";
import { shapeOf } from "./place.ts";
import {
  asFloat,
  asWhole,
  computed,
  dependsOnRows,
  isNatural,
  numberOf,
  over,
  type Size,
  sameSize,
  sizeOf,
  times,
} from "./size.ts";
import { axisOf, common, type Elements, fromElements, type Value } from "./value.ts";

/**
 * What an operator makes of short tensors whose elements are followed, as exporters compute shapes with: Shape → Gather → Mul → Concat → Reshape. Undefined where
 * this is not such a computation.
 */
export function computeElements(node: NodeView): Value | undefined {
  const vectors = node.inputs.map((value) =>
    value?.kind === "common" || value?.kind === "sizes" ? value.elements : undefined,
  );
  if (vectors.length === 0 || vectors.some((vector, index) => vector === undefined && node.has(index)))
    return undefined;
  const ranks = node.inputs.map((value) => (value === undefined ? 0 : shapeOf(value).length));
  const rank = Math.max(...ranks);
  const known = vectors.map((vector) => vector ?? []);
  if (rank > 1) return tables[node.operator]?.(node, known);
  const whole = wholeVectors[node.operator]?.(node, known);
  if (whole !== undefined) return whole;
  const each = eachElement[node.operator];
  return each === undefined ? undefined : elementwise(node, known, rank === 0 ? 0 : 1, each);
}

type Arithmetic = (sizes: readonly Size[], node?: NodeView) => Size | undefined;

function elementwise(node: NodeView, vectors: readonly Elements[], rank: 0 | 1, each: Arithmetic): Value | undefined {
  const length = Math.max(...vectors.map((vector) => vector.length));
  if (vectors.some((vector) => vector.length !== length && vector.length !== 1)) return undefined;
  const elements: (Size | undefined)[] = [];
  for (let index = 0; index < length; index += 1) {
    const sizes = vectors.map((vector) => vector[vector.length === 1 ? 0 : index]);
    const result = sizes.includes(undefined) ? undefined : each(sizes as Size[], node);
    if (result === undefined && sizes.some(dependsOnRows)) return node.mixed("computes with the number of rows");
    elements.push(result);
  }
  return fromElements(elements, rank);
}

/** What every type of numbers that lengths are computed in holds: beyond it some begin anew at their least number. */
const largest = 2 ** 31 - 1;

/** Numbers are computed; lengths that do not depend on the rows become a length with the name of the computation. */
function arithmetic(operator: string, calculate: (numbers: readonly number[]) => number): Arithmetic {
  return (sizes) => {
    const numbers = sizes.map(numberOf);
    // A fraction is rounded as its type has it.
    if (numbers.every((number) => number !== undefined))
      return numbers.every(Number.isInteger) ? within(sizeOf(calculate(numbers))) : undefined;
    return sizes.some(dependsOnRows) ? undefined : computed(operator, ...sizes);
  };
}

function within(size: Size): Size | undefined {
  return Math.abs(size.factor) <= largest ? size : undefined;
}

const product: Arithmetic = (sizes) => {
  if (sizes.every(({ factor }) => Number.isInteger(factor))) return within(times(...sizes));
  return sizes.some(dependsOnRows) || sizes.every((size) => numberOf(size) !== undefined)
    ? undefined
    : computed("mul", ...sizes);
};

/** Ceil and Floor of a constant. */
function rounded(operator: string, round: (number: number) => number): Arithmetic {
  return ([size]) => {
    const number = numberOf(size);
    return number === undefined
      ? arithmetic(operator, () => Number.NaN)([size as Size])
      : within(sizeOf(round(number)));
  };
}

/** Of two lengths only what holds whatever they are: the same expression is equal; none is below 0. */
function compare(holds: (left: number, right: number) => boolean): Arithmetic {
  return ([left, right]) => {
    const numbers = [numberOf(left), numberOf(right)];
    if (!numbers.includes(undefined)) return sizeOf(holds(numbers[0] as number, numbers[1] as number) ? 1 : 0);
    if (left !== undefined && right !== undefined && sameSize(left, right)) return sizeOf(holds(1, 1) ? 1 : 0);
    const [number, flipped] = numbers[0] === undefined ? [numbers[1], false] : [numbers[0], true];
    const size = flipped ? right : left;
    if (number === undefined || number >= 0 || size === undefined || !isNatural(size)) return undefined;
    return sizeOf((flipped ? holds(number, 0) && holds(number, 1e9) : holds(0, number) && holds(1e9, number)) ? 1 : 0);
  };
}

const sum: Arithmetic = (sizes) => {
  const others = sizes.filter((size) => numberOf(size) !== 0);
  return others.length === 1 ? others[0] : arithmetic("sum", (numbers) => numbers.reduce((a, b) => a + b, 0))(sizes);
};

const quotient: Arithmetic = ([left, right]) => {
  const exact = left === undefined || right === undefined ? undefined : over(left, right);
  // Whether a rest is cut off depends on the type.
  return (
    exact ?? arithmetic("div", ([a = 0, b = 0]) => (a % b === 0 ? a / b : Number.NaN))([left as Size, right as Size])
  );
};

const eachElement: Readonly<Record<string, Arithmetic>> = {
  Identity: ([size]) => size,
  Cast: ([size], node) => cast(size, node?.int("to", 0) ?? Type.UNDEFINED),
  Mul: product,
  Add: sum,
  Sub: ([left, right]) =>
    numberOf(right) === 0 ? left : arithmetic("sub", ([a = 0, b = 0]) => a - b)([left as Size, right as Size]),
  Div: quotient,
  // 'fmod' gives a negative rest where Mod's own is positive.
  Mod: (sizes, node) =>
    node?.int("fmod", 0) === 1
      ? arithmetic("fmod", ([a = 0, b = 0]) => a % b)(sizes)
      : arithmetic("mod", ([a = 0, b = 0]) => a - b * Math.floor(a / b))(sizes),
  Neg: arithmetic("neg", ([a = 0]) => -a),
  Abs: ([size]) =>
    size !== undefined && isNatural(size) ? size : arithmetic("abs", ([a = 0]) => Math.abs(a))([size as Size]),
  Ceil: rounded("ceil", Math.ceil),
  Floor: rounded("floor", Math.floor),
  Max: arithmetic("max", (numbers) => Math.max(...numbers)),
  Min: arithmetic("min", (numbers) => Math.min(...numbers)),
  Equal: compare((a, b) => a === b),
  Less: compare((a, b) => a < b),
  Greater: compare((a, b) => a > b),
  LessOrEqual: compare((a, b) => a <= b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Not: arithmetic("not", ([a = 0]) => (a === 0 ? 1 : 0)),
  And: arithmetic("and", ([a = 0, b = 0]) => (a !== 0 && b !== 0 ? 1 : 0)),
  Or: arithmetic("or", ([a = 0, b = 0]) => (a !== 0 || b !== 0 ? 1 : 0)),
  Where: ([condition, left, right]) => {
    const chosen = numberOf(condition);
    if (chosen === undefined) return undefined;
    return chosen === 0 ? right : left;
  },
};

/** Lengths are whole numbers, exact in every type but the smallest; others are cut off. */
function cast(size: Size | undefined, type: Type): Size | undefined {
  if (size === undefined) return undefined;
  const number = numberOf(size);
  if (type === Type.BOOL) return number === undefined ? undefined : sizeOf(number === 0 ? 0 : 1);
  if (![Type.INT32, Type.INT64, Type.FLOAT, Type.DOUBLE].includes(type)) return undefined;
  if (type === Type.FLOAT || type === Type.DOUBLE) return asFloat(size);
  // Other numbers than these become others in a smaller type.
  if (number !== undefined) return within(sizeOf(Math.trunc(number)));
  return asWhole(size) ?? (dependsOnRows(size) ? undefined : computed("cast", size));
}

type WholeVectors = (node: NodeView, vectors: readonly Elements[]) => Value | undefined;

const wholeVectors: Readonly<Record<string, WholeVectors>> = {
  Concat: (node, vectors) =>
    node.inputs.every((value) => value !== undefined && shapeOf(value).length === 1)
      ? fromElements(vectors.flat(), 1)
      : undefined,
  Gather: (node, [data = [], indices = []]) => {
    const rank = shapeOf(node.input(1)).length as 0 | 1;
    if (rankOf(node) !== 1) return undefined;
    const at = indices.map((index) => numberOf(index));
    if (at.includes(undefined)) return undefined;
    return fromElements(
      at.map((index) => data[axisOf(index as number, data.length)]),
      rank,
    );
  },
  Slice: (node, [data = []]) => {
    const bounds =
      node.inputs.length > 1
        ? [node.numbers(1), node.numbers(2), node.has(4) ? node.numbers(4) : [1]]
        : [node.ints("starts"), node.ints("ends"), [1]];
    const [start, end, step] = bounds.map((numbers) => numbers?.[0]);
    if (start === undefined || end === undefined || step === undefined || step === 0) return undefined;
    return fromElements(sliced(data, start, end, step), 1);
  },
  Squeeze: (node, [data = []]) => (rankOf(node) === 1 && data.length === 1 ? fromElements(data, 0) : undefined),
  Unsqueeze: (node, [data = [], axes = node.ints("axes") ?? []]) =>
    rankOf(node) === 0 && axes.length === 1 ? fromElements(data, 1) : undefined,
  Reshape: (node, [data = [], shape = []]) => {
    if (shape.length === 0 && data.length === 1) return fromElements(data, 0);
    const size = numberOf(shape[0]);
    if (shape.length === 2) return asTable(node, data, shape);
    if (shape.length !== 1 || size === undefined) return undefined;
    return size === -1 || size === data.length || (size === 0 && node.int("allowzero", 0) === 0)
      ? fromElements(data, 1)
      : undefined;
  },
  ReduceProd: (node, [data = []]) => reduced(node, data, (sizes) => times(...sizes)),
  ReduceSum: (node, [data = []]) => reduced(node, data, (sizes) => sum(sizes, node)),
  ReduceMax: (node, [data = []]) => reduced(node, data, (sizes) => (eachElement.Max as Arithmetic)(sizes, node)),
  ReduceMin: (node, [data = []]) => reduced(node, data, (sizes) => (eachElement.Min as Arithmetic)(sizes, node)),
};

function rankOf(node: NodeView): number | undefined {
  const value = node.inputs[0];
  return value === undefined ? undefined : shapeOf(value).length;
}

function reduced(
  node: NodeView,
  data: Elements,
  reduce: (sizes: readonly Size[]) => Size | undefined,
): Value | undefined {
  if (data.includes(undefined) || rankOf(node) !== 1 || node.int("noop_with_empty_axes", 0) !== 0) return undefined;
  const result = reduce(data as readonly Size[]);
  if (result === undefined && data.some(dependsOnRows)) return node.mixed("computes with the number of rows");
  return fromElements([result], node.int("keepdims", 1) === 1 ? 1 : 0);
}

/** Tables of two axes: torch.onnx turns the order of F.pad's lengths around in one. Only of elements that do not depend on the rows. */
const tables: Readonly<Record<string, WholeVectors>> = {
  Reshape: (node, [data = [], shape = []]) =>
    shape.length === 1 && numberOf(shape[0]) === -1 && rankOf(node) === 2 && !data.some(dependsOnRows)
      ? fromElements(data, 1)
      : undefined,
  Slice: (node, [data = []]) => {
    const [start, end, axis, step] = [1, 2, 3, 4].map(
      (at) => (node.has(at) ? node.numbers(at) : [at === 4 ? 1 : 0])?.[0],
    );
    const width = numberOf(shapeOf(node.input(0))[1]);
    if (numberOf(shapeOf(node.input(1))[0]) !== 1) return undefined;
    if (start === undefined || end === undefined || axis !== 0 || step === undefined || step === 0) return undefined;
    if (rankOf(node) !== 2 || width === undefined || width === 0) return undefined;
    const lines = Array.from({ length: data.length / width }, (_, line) => sizeOf(line));
    const picked = sliced(lines, start, end, step).map((line) => numberOf(line) as number);
    return table(
      picked.flatMap((line) => data.slice(line * width, (line + 1) * width)),
      width,
    );
  },
  Transpose: (node, [data = []]) => {
    const width = numberOf(shapeOf(node.input(0))[1]);
    if (rankOf(node) !== 2 || width === undefined || width === 0 || node.ints("perm")?.[0] === 0) return undefined;
    const height = data.length / width;
    return table(
      data.map((_, at) => data[(at % height) * width + Math.floor(at / height)]),
      height,
    );
  },
};

function asTable(node: NodeView, data: Elements, shape: Elements): Value | undefined {
  const [height, width] = shape.map(numberOf);
  if (height === undefined || width === undefined || node.int("allowzero", 0) !== 0) return undefined;
  const known = width > 0 ? width : height > 0 ? data.length / height : 0;
  return Number.isInteger(data.length / known) && !data.some(dependsOnRows) ? table(data, known) : undefined;
}

function table(elements: Elements, width: number): Value {
  return common([sizeOf(elements.length / width), sizeOf(width)], elements);
}

/** Elements by Slice's rules (ONNX Slice-13). */
function sliced(data: Elements, start: number, end: number, step: number): Elements {
  const length = data.length;
  const clamp = (at: number, low: number, high: number) => Math.min(Math.max(at < 0 ? at + length : at, low), high);
  const from = clamp(start, 0, step > 0 ? length : length - 1);
  const to = step > 0 ? clamp(end, 0, length) : clamp(end, -1, length - 1);
  const picked: (Size | undefined)[] = [];
  for (let at = from; step > 0 ? at < to : at > to; at += step) picked.push(data[at]);
  return picked;
}
