import { constantValue } from "../constants.ts";
import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcastShape, place, shapeOf, trailingAxes } from "../place.ts";
import { requestedShape, reshape } from "../reshape.ts";
import { dependsOnRows, isNatural, isOne, numberOf, one, over, rowCount, type Size, sizeOf, times } from "../size.ts";
import { axisOf, common, type Elements, fromElements, isPlain, type Rows, type Shape, type Value } from "../value.ts";

/** Constant-1 … -24. */
const constant: Rule = (node) => {
  const tensor = node.tensor("value");
  if (tensor !== undefined) return constantValue(tensor);
  const ints = node.ints("value_ints") ?? node.floats("value_floats");
  if (ints !== undefined) return fromElements(ints.length <= 64 ? ints.map(sizeOf) : ints.map(() => undefined), 1);
  const texts = node.texts("value_strings");
  if (texts !== undefined) return common([sizeOf(texts.length)]);
  const single = node.int("value_int");
  if (single !== undefined) return fromElements([sizeOf(single)], 0);
  return node.hasAttribute("value_float") || node.hasAttribute("value_string") ? common([]) : common();
};

/** Shape-15: 'start' and 'end' cut the list of lengths. */
const shape: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  if (value.shape === undefined) return common();
  const rank = value.shape.length;
  const bound = (at: number) => Math.min(Math.max(axisOf(at, rank), 0), rank);
  return fromElements(value.shape.slice(bound(node.int("start", 0)), bound(node.int("end", rank))), 1);
};

const size: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  return value.shape === undefined ? common([]) : fromElements([times(...value.shape)], 0);
};

const reshapeTo: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  const wanted = node.opset < 5 ? node.ints("shape")?.map(sizeOf) : node.elements(1);
  const how = node.inputs[1];
  if (how?.kind === "mixed") return how;
  if (how?.kind === "rows") return node.mixed("takes its shape from the elements of the rows");
  const asked = wanted && requestedShape(node, value.shape, wanted, node.int("allowzero", 0) === 1);
  if (asked !== undefined) return reshape(node, value, asked);
  return value.kind === "common" && how?.kind !== "sizes"
    ? common()
    : node.mixed("takes a shape that cannot be followed");
};

/** Flatten-1 … -24: 'axis' parts the axes into two. */
const flatten: Rule = (node) => {
  const value = node.input(0);
  const whole = shapeOf(value);
  const axis = axisOf(node.int("axis", 1), whole.length);
  return reshape(node, value, [times(...whole.slice(0, axis)), times(...whole.slice(axis))]);
};

const transpose: Rule = (node) => {
  const value = node.input(0);
  const from = shapeOf(value);
  const order = node.ints("perm") ?? from.map((_, axis) => from.length - 1 - axis);
  if (value.kind === "common" && value.shape === undefined) return common();
  return place(
    node,
    order.map((axis) => from[axis] as Size),
    [{ value, axes: from.map((_, axis) => order.indexOf(axis)) }],
  );
};

/** Axes from the attribute, or since operator set 13 from the second input; "unknown" where they are computed. */
function axesOf(node: NodeView): readonly number[] | undefined | "unknown" {
  if (node.opset < 13) return node.ints("axes");
  return node.has(1) ? (node.numbers(1) ?? "unknown") : undefined;
}

const squeeze: Rule = (node) => {
  const value = node.input(0);
  const from = shapeOf(value);
  const axes = axesOf(node);
  if (axes === "unknown") return node.mixed("takes axes that are computed");
  if (value.kind === "rows" && axes === undefined && from.some((length) => numberOf(length) === undefined))
    return node.mixed("drops every axis of length 1, which the rows' axis is when there is one row");
  if (value.kind === "common" && axes === undefined && from.some((length) => numberOf(length) === undefined))
    return common();
  const dropped =
    axes?.map((axis) => axisOf(axis, from.length)) ?? from.flatMap((length, axis) => (isOne(length) ? [axis] : []));
  const kept = from.flatMap((_, axis) => (dropped.includes(axis) ? [] : [axis]));
  return place(
    node,
    kept.map((axis) => from[axis] as Size),
    [{ value, axes: from.map((_, axis) => kept.indexOf(axis)) }],
  );
};

const unsqueeze: Rule = (node) => {
  const value = node.input(0);
  const axes = axesOf(node);
  if (axes === undefined || axes === "unknown") return node.mixed("takes axes that are computed");
  const from = shapeOf(value);
  const rank = from.length + axes.length;
  const added = axes.map((axis) => axisOf(axis, rank));
  const old = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !added.includes(axis));
  const to = Array.from({ length: rank }, (_, axis) => from[old.indexOf(axis)] ?? one);
  return place(node, to, [{ value, axes: old }]);
};

/** A constant or rows, spread over a shape: where the shape says rows, every row gets the same. */
const expand: Rule = (node) => {
  const value = node.input(0);
  const target = targetShape(node, node.inputs[1], node.elements(1));
  if (!Array.isArray(target)) return target as Value;
  return spread(node, value, target);
};

function targetShape(node: NodeView, how: Value | undefined, elements: Elements | undefined): Size[] | Value {
  if (how?.kind === "mixed") return how;
  if (how?.kind === "rows") return node.mixed("takes its shape from the elements of the rows");
  if (elements === undefined || elements.includes(undefined))
    return how?.kind === "common" && node.inputs.every((value) => value?.kind === "common")
      ? common()
      : node.mixed("takes a shape that cannot be followed");
  const sizes = elements as Size[];
  return sizes.some((size) => dependsOnRows(size) && !isNatural(size))
    ? node.mixed("computes with the number of rows")
    : sizes.map((size, axis) => node.length(size, `asked${axis}`));
}

/** A value broadcast to a shape that may say how many rows there are. */
function spread(node: NodeView, value: Value, target: Shape): Value {
  if (value.kind === "mixed") return value;
  if (value.kind === "sizes") return node.mixed("computes with the number of rows");
  const rowAxes = target.flatMap((length, axis) => (dependsOnRows(length) ? [axis] : []));
  if (value.shape === undefined)
    return rowAxes.length === 0 ? common() : node.mixed("spreads a value of unknown shape");
  const full = broadcastShape([value.shape, target]);
  const placed = { value, axes: trailingAxes(value.shape.length, full.length) };
  if (rowAxes.length === 0)
    return place(node, full, [placed, { value: common(target), axes: trailingAxes(target.length, full.length) }]);
  if (rowAxes.length > 1) return node.mixed("makes a second axis as long as the batch");
  const filled = uniformRows(node, target, rowAxes[0] as number);
  return place(node, full, [placed, { value: filled, axes: trailingAxes(target.length, full.length) }]);
}

/** A tensor of one and the same element, with as many rows as there are. */
function uniformRows(node: NodeView, target: Shape, axis: number): Value {
  const inner = over(target[axis] as Size, rowCount);
  if (inner === undefined || dependsOnRows(inner)) return node.mixed("makes an axis that is no multiple of the rows");
  return { kind: "rows", shape: target, axis, outer: one, inner, uniform: true };
}

const constantOfShape: Rule = (node) => {
  const target = targetShape(node, node.inputs[0], node.elements(0));
  if (!Array.isArray(target)) return target as Value;
  const fill = node.tensor("value");
  const [element] = fill === undefined ? [sizeOf(0)] : (constantValue(fill).elements ?? [undefined]);
  const length = numberOf(target[0]);
  if (target.length === 1 && length !== undefined && length <= 64) return fromElements(Array(length).fill(element), 1);
  return spread(node, common([]), target);
};

/** Range-11: positions along the rows depend on who else is in the run. */
const range: Rule = (node) => {
  const bounds = node.inputs.slice(0, 3);
  const worst = bounds.find((value) => value?.kind === "mixed") ?? bounds.find((value) => value?.kind !== "common");
  if (worst?.kind === "mixed") return worst;
  if (worst !== undefined) return node.mixed("counts through the rows, or as far as their elements say");
  const [start, limit, delta] = [0, 1, 2].map((index) => node.elements(index)?.[0]);
  return common([node.length(numberOf(start) === 0 && isOne(delta) ? limit : undefined, "length")]);
};

/** Tile-6, -13. Whole copies of the rows behind each other are one more outer axis. */
const tile: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  const repeats = node.elements(1);
  if (value.kind === "sizes" || value.shape === undefined || repeats === undefined || repeats.includes(undefined))
    return node.inputs.every((input) => input?.kind === "common")
      ? common()
      : node.mixed("repeats as often as cannot be followed");
  const known = repeats as readonly Size[];
  if (!known.every(isNatural) || node.opset < 6) return node.mixed("repeats as often as cannot be followed");
  const to = value.shape.map((length, axis) => times(length, known[axis] ?? one));
  if (value.kind === "common") {
    const axis = known.findIndex(dependsOnRows);
    if (axis < 0) return common(to);
    if (known.filter(dependsOnRows).length > 1) return node.mixed("makes a second axis as long as the batch");
    // One copy a row: a row is a whole copy.
    const inner = over(to[axis] as Size, rowCount);
    if (inner === undefined || dependsOnRows(inner)) return node.mixed("makes an axis that is no multiple of the rows");
    return { kind: "rows", shape: to, axis, outer: one, inner, uniform: isOne(value.shape[axis]) };
  }
  if (known.some(dependsOnRows)) return node.mixed("makes a second axis as long as the batch");
  const outer = times(value.outer, known[value.axis] ?? one);
  return { ...value, shape: to, outer } satisfies Rows;
};

/** Pad-1 … -24: lengths at the begin of every axis, then at the end; the rows' axis must stay as it is. */
const pad: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed" || value.kind === "sizes")
    return value.kind === "mixed" ? value : node.mixed("computes with the number of rows");
  const pads = node.opset < 11 ? (node.ints("pads") ?? node.ints("paddings"))?.map(sizeOf) : node.elements(1);
  const axes = node.has(3) ? node.numbers(3) : shapeOf(value).map((_, axis) => axis);
  if (node.inputs.slice(1).some((input) => input !== undefined && input.kind !== "common"))
    return node.mixed("pads by what it takes from the rows");
  if (value.shape === undefined) return common();
  if (axes === undefined || pads?.length !== 2 * axes.length) {
    return value.kind === "common"
      ? common(value.shape.map((_, axis) => node.fresh(axis)))
      : node.mixed("pads axes that cannot be followed");
  }
  const rank = value.shape.length;
  const to = [...value.shape];
  for (const [index, axis] of axes.entries()) {
    const at = axisOf(axis, rank);
    const added = [pads[index], pads[index + axes.length]].map(numberOf);
    if (added.every((number) => number === 0)) continue;
    if (value.kind === "rows" && at === value.axis) return node.mixed("pads the axis of the rows");
    const length = numberOf(value.shape[at]);
    to[at] =
      length === undefined || added.includes(undefined)
        ? node.fresh(at)
        : sizeOf(length + (added[0] as number) + (added[1] as number));
  }
  return value.kind === "common" ? common(to) : { ...value, shape: to };
};

/** DepthToSpace-1 … -13 and SpaceToDepth-1, -13 move elements between the axes behind the first. */
function blocks(grows: boolean): Rule {
  return (node) => {
    const value = node.input(0);
    const [batch, channels, ...space] = shapeOf(value);
    const block = sizeOf(node.int("blocksize", 1));
    if (value.kind === "rows" && value.axis !== 0) return node.mixed("moves elements along the axis of the rows");
    if (batch === undefined || channels === undefined)
      return node.inputs.length > 0 && value.kind === "common"
        ? common()
        : node.mixed("takes a value of unknown shape");
    const scaled = (size: Size, up: boolean, label: number) =>
      up ? times(size, block) : (over(size, block) ?? node.fresh(label));
    const depth = grows ? scaled(scaled(channels, false, 1), false, 1) : times(channels, block, block);
    const to = [batch, depth, ...space.map((size, index) => scaled(size, grows, index + 2))];
    return place(node, to, [{ value, axes: [0, 1, ...space.map((_, index) => index + 2)] }]);
  };
}

/** Rows on axis 0 with nothing folded in; the one layout many operators take. */
export function isBatchFirst(value: Value): value is Rows {
  return value.kind === "rows" && value.axis === 0 && isPlain(value);
}

/** Operators that move or repeat elements without looking at them, and those that make shapes. */
export const layout: OperatorTable = {
  source: "ai.onnx: each operator's own section of the versions named in the rules",
  rules: {
    Constant: constant,
    ConstantOfShape: constantOfShape,
    DepthToSpace: blocks(true),
    Expand: expand,
    Flatten: flatten,
    Pad: pad,
    Range: range,
    Reshape: reshapeTo,
    Shape: shape,
    Size: size,
    SpaceToDepth: blocks(false),
    Squeeze: squeeze,
    Tile: tile,
    Transpose: transpose,
    Unsqueeze: unsqueeze,
  },
};
