import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { place, shapeOf } from "../place.ts";
import { numberOf, one, type Size, sizeOf } from "../size.ts";
import { common, type Shape, type Value } from "../value.ts";
import { allOf } from "./elementwise.ts";

/** A value [batch, channels, …] whose channels and space are worked on, for each element of axis 0 apart. */
export function perImage(node: NodeView, value: Value, inner: Shape): Value {
  const shape = shapeOf(value);
  if (value.kind === "common" && value.shape === undefined) return common();
  return place(node, [shape[0] ?? one, ...inner], [{ value, axes: shape.map((_, axis) => (axis === 0 ? 0 : -1)) }]);
}

function weightsVary(node: NodeView, from = 1): boolean {
  return node.inputs.slice(from).some((value) => value !== undefined && value.kind !== "common");
}

interface Windows {
  readonly kernel: readonly (number | undefined)[];
  /** Axis of the first spatial length. */
  readonly start: number;
}

/** Lengths that a window leaves (Conv-1 … -22, pools: 'auto_pad', 'pads', 'strides', 'dilations', 'ceil_mode'). */
function windowed(node: NodeView, shape: Shape, { kernel, start }: Windows): Shape {
  const automatic = node.text("auto_pad", "NOTSET");
  const rank = shape.length - start;
  return shape.slice(start).map((size, at) => {
    const length = numberOf(size);
    const width = kernel[at];
    const stride = node.ints("strides")?.[at] ?? 1;
    const dilation = node.ints("dilations")?.[at] ?? 1;
    if (length === undefined || width === undefined) return node.fresh(`space${at}`);
    if (automatic === "SAME_UPPER" || automatic === "SAME_LOWER") return sizeOf(Math.ceil(length / stride));
    const pads = automatic === "VALID" ? [] : (node.ints("pads") ?? []);
    const whole = length + (pads[at] ?? 0) + (pads[at + rank] ?? 0) - dilation * (width - 1) - 1;
    // What rounding up gives at the edge differs between versions.
    if (node.int("ceil_mode", 0) === 1 && whole % stride !== 0) return node.fresh(`space${at}`);
    return sizeOf(Math.floor(whole / stride) + 1);
  });
}

/** Conv, ConvInteger, QLinearConv and others: the weights are where they are for each; all else is the same for all rows. */
export function convolution(weights: number, isChannelLast = false): Rule {
  return (node) => {
    if (weightsVary(node)) return node.mixed("convolves with weights that depend on the rows");
    const value = node.input(0);
    const kernel = shapeOf(node.input(weights));
    if (isChannelLast || kernel.length < 3)
      return perImage(
        node,
        value,
        shapeOf(value)
          .slice(1)
          .map((_, at) => node.fresh(at)),
      );
    const window = { kernel: kernel.slice(2).map(numberOf), start: 2 };
    return perImage(node, value, [kernel[0] as Size, ...windowed(node, shapeOf(value), window)]);
  };
}

/** ConvTranspose-1 … -22. */
const transposed: Rule = (node) => {
  if (weightsVary(node)) return node.mixed("convolves with weights that depend on the rows");
  const value = node.input(0);
  const kernel = shapeOf(node.input(1));
  const channels = numberOf(kernel[1]);
  const depth = channels === undefined ? node.fresh("channels") : sizeOf(channels * node.int("group", 1));
  return perImage(node, value, [
    depth,
    ...shapeOf(value)
      .slice(2)
      .map((_, at) => node.fresh(`space${at}`)),
  ]);
};

/** Pools. MaxPool's second output counts through the whole run, its rows included (MaxPool-8: "in [0, N x C x D1 x …)"). */
const pool: Rule = (node) => {
  if (weightsVary(node)) return node.mixed("takes its settings from the rows");
  const value = node.input(0);
  const [, channels = one] = shapeOf(value);
  const window = { kernel: node.ints("kernel_shape") ?? [], start: 2 };
  const pooled = perImage(node, value, [channels, ...windowed(node, shapeOf(value), window)]);
  return [pooled, node.mixed("gives places counted through all rows of a run")];
};

const globalPool: Rule = (node) => {
  if (weightsVary(node)) return node.mixed("takes its settings from the rows");
  const value = node.input(0);
  const [, channels = one, ...space] = shapeOf(value);
  return perImage(node, value, [channels, ...space.map(() => one)]);
};

/** GridSample-16, -20: image and grid of one row; DeformConv-19: offsets and mask of one row. */
const gridSample: Rule = (node) => {
  const [value, grid] = [node.input(0), node.input(1)];
  const [batch = one, channels = one] = shapeOf(value);
  const places = shapeOf(grid);
  const first = (shape: Shape) => shape.map((_, axis) => (axis === 0 ? 0 : -1));
  return place(
    node,
    [batch, channels, ...places.slice(1, -1)],
    [
      { value, axes: first(shapeOf(value)) },
      { value: grid, axes: first(places) },
    ],
  );
};

const deformable: Rule = (node) => {
  const [value, weights, offset] = [node.input(0), node.input(1), node.input(2)];
  if ([weights, node.inputs[3]].some((input) => input !== undefined && input.kind !== "common"))
    return node.mixed("convolves with weights that depend on the rows");
  const first = (input: Value | undefined) =>
    input && { value: input, axes: shapeOf(input).map((_, axis) => (axis === 0 ? 0 : -1)) };
  const space = shapeOf(offset).slice(2);
  const [batch = one] = shapeOf(value);
  return place(
    node,
    [batch, shapeOf(weights)[0] ?? one, ...space],
    [first(value), first(offset), first(node.inputs[4])],
  );
};

/** Operators on images and signals. */
export const spatial: OperatorTable = {
  source: "ai.onnx: each operator's own section, 'N' being the batch of axis 0",
  rules: {
    ...allOf("Conv ConvInteger", convolution(1)),
    ...allOf("AveragePool LpPool MaxPool", pool),
    ...allOf("GlobalAveragePool GlobalLpPool GlobalMaxPool", globalPool),
    ConvTranspose: transposed,
    DeformConv: deformable,
    GridSample: gridSample,
    QLinearConv: convolution(3),
  },
};
