import type { NodeView } from "./node-view.ts";
import { computed, dependsOnRows, describe, isOne, numberOf, type Size, sameSize } from "./size.ts";
import { common, type Rows, type Shape, type Value } from "./value.ts";

/** An input of an operator, and where each of its axes comes to lie in the output; -1 for an axis that the operator works along. */
export interface Placed {
  readonly value: Value;
  readonly axes: readonly number[];
}

/**
 * The output of an operator that works on each position of its output apart. The rows of all inputs must come to lie on one axis and be folded alike; an input
 * that is no batch may not have that axis, unless it is of length 1 and so stands for every row.
 */
export function place(node: NodeView, shape: Shape, inputs: readonly (Placed | undefined)[]): Value {
  const given = inputs.filter((input) => input !== undefined);
  const rows = given.filter((input): input is Placed & { value: Rows } => input.value.kind === "rows");
  for (const { value } of given) {
    if (value.kind === "mixed") return value;
    if (value.kind === "sizes") return node.mixed("computes with the number of rows");
  }
  const first = rows.find(({ value }) => !value.uniform) ?? rows[0];
  if (first === undefined) return common(shape);
  const target = first.axes[first.value.axis] ?? -1;
  for (const { value, axes } of rows) {
    const axis = axes[value.axis] ?? -1;
    if (axis < 0) return node.mixed("works along the axis of the rows");
    if (axis !== target) return node.mixed("sets the rows on one axis against the rows on another");
    if (!foldedAlike(first.value, value)) return node.mixed("sets rows beside rows that are folded otherwise");
  }
  for (const { value, axes } of given) {
    if (value.kind !== "common") continue;
    if (value.shape === undefined) return node.mixed("sets the rows beside a value of unknown shape");
    if (axes.some((axis, index) => axis === target && !isOne(value.shape?.[index])))
      return node.mixed("sets the rows beside an axis of a length of its own");
  }
  const { outer, inner } = first.value;
  const whole = shape.map((size, axis) => (axis === target ? (first.value.shape[first.value.axis] as Size) : size));
  if (whole.some((size, axis) => axis !== target && dependsOnRows(size)))
    return node.mixed("makes a second axis as long as the batch");
  return { kind: "rows", shape: whole, axis: target, outer, inner, uniform: rows.every(({ value }) => value.uniform) };
}

function foldedAlike(left: Rows, right: Rows): boolean {
  if (!sameSize(left.shape[left.axis] as Size, right.shape[right.axis] as Size)) return false;
  if (left.uniform || right.uniform) return true;
  return sameSize(left.outer, right.outer) && sameSize(left.inner, right.inner);
}

/** The output of an operator that broadcasts its inputs (Broadcasting in ONNX, multidirectional). */
export function broadcast(node: NodeView, inputs: readonly (Value | undefined)[]): Value {
  const given = inputs.filter((value) => value !== undefined);
  const shapes: Shape[] = [];
  for (const value of given) {
    if (value.kind === "mixed") return value;
    if (value.shape === undefined) {
      return given.every(({ kind }) => kind === "common")
        ? common()
        : node.mixed("sets the rows beside a value of unknown shape");
    }
    shapes.push(value.shape);
  }
  const shape = broadcastShape(shapes);
  const rank = shape.length;
  return place(
    node,
    shape,
    given.map((value) => ({ value, axes: trailingAxes(shapeOf(value).length, rank) })),
  );
}

/** The shape that shapes broadcast to. */
export function broadcastShape(shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    broadcastSize(
      shapes.flatMap((shape) => {
        const size = shape[axis - rank + shape.length];
        return size === undefined ? [] : [size];
      }),
    ),
  );
}

function broadcastSize(sizes: readonly Size[]): Size {
  const longer = sizes.filter((size) => !isOne(size));
  const first = longer[0];
  if (first === undefined) return sizes[0] as Size;
  if (longer.every((size) => sameSize(size, first))) return first;
  const known =
    longer.find(dependsOnRows) ?? longer.find((size) => numberOf(size) !== undefined && numberOf(size) !== 1);
  return (
    known ?? computed("broadcast", ...longer.toSorted((left, right) => (describe(left) < describe(right) ? -1 : 1)))
  );
}

/** Axes of a tensor aligned to the last ones of an output. */
export function trailingAxes(rank: number, outputRank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => axis + outputRank - rank);
}

export function shapeOf(value: Value): Shape {
  return value.kind === "mixed" ? [] : (value.shape ?? []);
}
