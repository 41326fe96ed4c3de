import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcastShape, type Placed, place, shapeOf, trailingAxes } from "../place.ts";
import type { Size } from "../size.ts";
import { common, type Shape, type Value } from "../value.ts";

/** One side of a product: the shape is read as if the last two axes changed places when `transposed`. */
export interface Side {
  readonly value: Value;
  readonly transposed?: boolean;
}

/**
 * A product of matrices as numpy's matmul has it (MatMul-1 … -13). Rows may be rows of the left matrix, columns of the right one, or matrices of a stack, but not
 * what is summed over.
 *
 * @param more values that are added to or scale the product, aligned to its last axes
 */
export function matmul(node: NodeView, left: Side, right: Side, more: readonly (Value | undefined)[] = []): Value {
  const bad = [left.value, right.value, ...more].find((value) => value?.kind === "mixed");
  if (bad !== undefined) return bad;
  const [a, b] = [shapeOf(left.value), shapeOf(right.value)];
  if ([left.value, right.value].some((value) => value.kind === "common" && value.shape === undefined)) {
    return left.value.kind === "common" && right.value.kind === "common"
      ? common()
      : node.mixed("multiplies with a value of unknown shape");
  }
  if (a.length === 0 || b.length === 0) return node.mixed("multiplies with a value of unknown shape");
  const stack = broadcastShape([a.slice(0, -2), b.slice(0, -2)]);
  const rowAxis = a.length > 1 ? stack.length : -1;
  const columnAxis = b.length > 1 ? stack.length + (a.length > 1 ? 1 : 0) : -1;
  const shape = [
    ...stack,
    ...(a.length > 1 ? [a.at(left.transposed ? -1 : -2) as Size] : []),
    ...(b.length > 1 ? [b.at(right.transposed ? -2 : -1) as Size] : []),
  ];
  const axesOf = (rank: number, outer: readonly [number, number]) =>
    rank === 1 ? [-1] : [...trailingAxes(rank - 2, stack.length), ...outer];
  return place(node, shape, [
    { value: left.value, axes: axesOf(a.length, left.transposed ? [-1, rowAxis] : [rowAxis, -1]) },
    { value: right.value, axes: axesOf(b.length, right.transposed ? [columnAxis, -1] : [-1, columnAxis]) },
    ...more.map((value) => value && { value, axes: trailingAxes(shapeOf(value).length, shape.length) }),
  ]);
}

const product: Rule = (node) => matmul(node, { value: node.input(0) }, { value: node.input(1) });

/** Gemm-1 … -13: two matrices, either transposed, and what is added to the product. */
const gemm: Rule = (node) =>
  matmul(
    node,
    { value: node.input(0), transposed: node.int("transA", 0) !== 0 },
    { value: node.input(1), transposed: node.int("transB", 0) !== 0 },
    [node.inputs[2]],
  );

/** MatMulInteger-10: zero points are for the whole of an input, or for a row of the left or a column of the right one. */
const integerProduct: Rule = (node) => {
  if (node.inputs.slice(2).some((value) => value !== undefined && value.kind !== "common"))
    return node.mixed("takes a zero point from all rows");
  return product(node);
};

/** Einsum-12: axes by letters; letters that the output lacks are summed over. */
const einsum: Rule = (node) => {
  const equation = node.text("equation", "").replaceAll(" ", "");
  const [left = "", right] = equation.split("->");
  const terms = left.split(",");
  const sizes = new Map<string, Size[]>();
  const labels: string[][] = [];
  for (const [index, term] of terms.entries()) {
    const value = node.input(index);
    if (value.kind === "mixed") return value;
    if (value.kind === "common" && value.shape === undefined)
      return node.inputs.every((input) => input?.kind === "common")
        ? common()
        : node.mixed("multiplies with a value of unknown shape");
    const shape = shapeOf(value);
    const letters = unfolded(term, shape.length);
    // A diagonal: one letter for two axes.
    if (letters.length !== shape.length || new Set(letters).size !== letters.length)
      return node.mixed("takes a diagonal");
    for (const [axis, letter] of letters.entries())
      sizes.set(letter, [...(sizes.get(letter) ?? []), shape[axis] as Size]);
    labels.push(letters);
  }
  const all = [...sizes.keys()];
  const dots = all.filter((letter) => letter.startsWith(".")).sort((x, y) => Number(y.slice(1)) - Number(x.slice(1)));
  const output =
    right === undefined
      ? [
          ...dots,
          ...all
            .filter((letter) => !letter.startsWith(".") && labels.flat().filter((one) => one === letter).length === 1)
            .sort(),
        ]
      : right.split("...").flatMap((part, index) => (index === 0 ? [...part] : [...dots, ...part]));
  const shape: Shape = output.flatMap((letter) => broadcastShape((sizes.get(letter) ?? []).map((size) => [size])));
  if (shape.length !== output.length) return node.mixed("has an equation that cannot be followed");
  const inputs: Placed[] = labels.map((letters, index) => ({
    value: node.input(index),
    axes: letters.map((letter) => output.indexOf(letter)),
  }));
  return place(node, shape, inputs);
};

/** The letters of a term; those that "..." stands for are ".3", ".2", ".1", counted from the last. */
function unfolded(term: string, rank: number): string[] {
  const [before = "", after] = term.split("...");
  if (after === undefined) return [...before];
  const hidden = rank - before.length - after.length;
  return [...before, ...Array.from({ length: Math.max(0, hidden) }, (_, index) => `.${hidden - index}`), ...after];
}

/** Products of matrices. */
export const products: OperatorTable = {
  source: "ai.onnx: MatMul, Gemm, MatMulInteger, Einsum",
  rules: { Einsum: einsum, Gemm: gemm, MatMul: product, MatMulInteger: integerProduct },
};
