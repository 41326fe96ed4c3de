import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcast, place, shapeOf } from "../place.ts";
import { one, type Size } from "../size.ts";
import { axisOf, common, type Value } from "../value.ts";
import { allOf } from "./elementwise.ts";

/** A value of the same shape, made by working along some axes. */
export function alongAxes(node: NodeView, value: Value, works: readonly number[]): Value {
  if (value.kind === "common") return common(value.shape);
  const shape = shapeOf(value);
  return place(node, shape, [{ value, axes: shape.map((_, axis) => (works.includes(axis) ? -1 : axis)) }]);
}

/** A value without some axes, or with length 1 there. */
export function reduce(node: NodeView, value: Value, axes: readonly number[], keeps: boolean): Value {
  if (value.kind === "common" && value.shape === undefined) return common();
  const from = shapeOf(value);
  const kept = from.flatMap((_, axis) => (keeps || !axes.includes(axis) ? [axis] : []));
  const shape = kept.map((axis) => (axes.includes(axis) ? one : (from[axis] as Size)));
  return place(node, shape, [{ value, axes: from.map((_, axis) => (axes.includes(axis) ? -1 : kept.indexOf(axis))) }]);
}

/** Reduce* : 'axes' is an attribute, since ReduceSum-13 and since operator set 18 for all an input; none means all, or none (noop_with_empty_axes). */
const reduceAxes: Rule = (node) => {
  const axes = reducedAxes(node);
  if (typeof axes === "string") return node.mixed(axes);
  return reduce(node, node.input(0), axes, node.int("keepdims", 1) === 1 || axes.length === 0);
};

/** The axes a Reduce* works along, or why they are not known. */
export function reducedAxes(node: NodeView): readonly number[] | string {
  const rank = shapeOf(node.input(0)).length;
  const byInput = node.opset >= (node.operator === "ReduceSum" ? 13 : 18);
  if (byInput && node.has(1) && node.input(1).kind !== "common") return "reduces over axes that depend on the rows";
  const given = byInput ? (node.has(1) ? node.numbers(1) : []) : (node.ints("axes") ?? []);
  if (given === undefined) return "reduces over axes that are computed";
  if (given.length > 0) return given.map((axis) => axisOf(axis, rank));
  const none = byInput && node.int("noop_with_empty_axes", 0) === 1;
  return none ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

/** ArgMax and ArgMin: 'axis' is 0 unless given. */
const argument: Rule = (node) => {
  const value = node.input(0);
  return reduce(node, value, [axisOf(node.int("axis", 0), shapeOf(value).length)], node.int("keepdims", 1) === 1);
};

/** Softmax-1, -11: everything from 'axis' (1) on is one distribution; Softmax-13: along 'axis' (-1) alone. */
const softmax: Rule = (node) => {
  const value = node.input(0);
  const rank = shapeOf(value).length;
  const axis = axisOf(node.int("axis", node.opset < 13 ? 1 : -1), rank);
  const works = node.opset < 13 ? Array.from({ length: rank - axis }, (_, index) => axis + index) : [axis];
  return alongAxes(node, value, works);
};

/** CumSum-11, -14 and CumProd: the axis is an input. */
const cumulate: Rule = (node) => {
  const axis = node.numbers(1)?.[0];
  const value = node.input(0);
  if (axis === undefined) return node.mixed("adds up along an axis that is computed");
  return alongAxes(node, value, [axisOf(axis, shapeOf(value).length)]);
};

/** LpNormalization-1 … -22: 'axis' is -1. */
const alongLast: Rule = (node) => {
  const value = node.input(0);
  return alongAxes(node, value, [axisOf(node.int("axis", -1), shapeOf(value).length)]);
};

/** LayerNormalization-17, RMSNormalization-23: over all axes from 'axis' (-1) on, with a scale and a bias for these. Mean and deviation come out beside it. */
export const layerNormalization: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  const axis = axisOf(node.int("axis", -1), shape.length);
  const works = shape.flatMap((_, at) => (at >= axis ? [at] : []));
  const normal = alongAxes(node, value, works);
  const [scale, bias] = [node.inputs[1], node.inputs[2]];
  const scaled = normal.kind === "mixed" ? normal : broadcast(node, [normal, scale, bias]);
  const statistics = reduce(node, value, works, true);
  return [scaled, statistics, statistics];
};

/** MeanVarianceNormalization-9, -13: 'axes' are 0, 2 and 3 unless given. */
const meanVariance: Rule = (node) => {
  const value = node.input(0);
  const rank = shapeOf(value).length;
  return alongAxes(
    node,
    value,
    (node.ints("axes") ?? [0, 2, 3]).map((axis) => axisOf(axis, rank)),
  );
};

/** BatchNormalization-1 … -15 with statistics that are constants; training takes them from the rows (-1 'is_test', -7 and -9 by their outputs, -14 'training_mode'). */
const batchNormalization: Rule = (node) => {
  const trains =
    node.opset >= 14
      ? node.int("training_mode", 0) === 1
      : node.opset >= 7
        ? node.outputCount > 1
        : node.int("is_test", 0) === 0;
  if (trains) return node.mixed("is in training mode: it takes mean and variance from all rows");
  const value = node.input(0);
  const rank = shapeOf(value).length;
  if (node.int("spatial", 1) === 0) return broadcast(node, node.inputs);
  const channels = (statistic: Value | undefined) => statistic && { value: statistic, axes: [1] };
  return place(node, shapeOf(value), [
    { value, axes: Array.from({ length: rank }, (_, axis) => axis) },
    ...node.inputs.slice(1).map(channels),
  ]);
};

/** InstanceNormalization, GroupNormalization, LRN: each element of axis 0 apart; channels are axis 1. */
const perInstance: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  if (node.inputs.slice(1).some((input) => input?.kind !== "common"))
    return node.mixed("takes its weights from the rows");
  return alongAxes(
    node,
    value,
    shape.flatMap((_, axis) => (axis === 0 ? [] : [axis])),
  );
};

/** DFT-17 'axis' (1), DFT-20 as an input (-2); the last axis is the complex number. */
const fourier: Rule = (node) => {
  const value = node.input(0);
  const rank = shapeOf(value).length;
  if (node.inputs.slice(1).some((input) => input !== undefined && input.kind !== "common"))
    return node.mixed("takes its settings from the rows");
  const axis = node.opset < 20 ? node.int("axis", 1) : node.has(2) ? node.numbers(2)?.[0] : -2;
  if (axis === undefined) return node.mixed("works along an axis that is computed");
  const works = [axisOf(axis, rank), rank - 1];
  const placed = alongAxes(node, value, works);
  if (placed.kind === "mixed" || placed.shape === undefined) return placed;
  const shape = placed.shape.map((size, at) => (works.includes(at) ? node.fresh(at) : size));
  return placed.kind === "rows" ? { ...placed, shape } : common(shape);
};

/** STFT-17: signal [batch, length, 1] → [batch, frames, bins, 2]. */
const shortFourier: Rule = (node) => {
  const value = node.input(0);
  if (node.inputs.slice(1).some((input) => input !== undefined && input.kind !== "common"))
    return node.mixed("takes its settings from the rows");
  const [batch = one] = shapeOf(value);
  return place(node, [batch, node.fresh(1), node.fresh(2), node.fresh(3)], [{ value, axes: [0, -1, -1] }]);
};

const windows: Rule = (node) =>
  node.inputs.every((value) => value?.kind === "common")
    ? common([node.fresh(0)])
    : node.mixed("takes its size from the rows");

const mel: Rule = (node) =>
  node.inputs.every((value) => value?.kind === "common")
    ? common([node.fresh(0), node.fresh(1)])
    : node.mixed("takes its size from the rows");

/** Operators that work along axes. */
export const reducing: OperatorTable = {
  source: "ai.onnx: each operator's own section of the versions named in the rules",
  rules: {
    ...allOf(
      "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
      reduceAxes,
    ),
    ...allOf("ArgMax ArgMin", argument),
    ...allOf("Softmax LogSoftmax Hardmax", softmax),
    ...allOf("CumSum CumProd", cumulate),
    ...allOf("LayerNormalization RMSNormalization", layerNormalization),
    ...allOf("InstanceNormalization GroupNormalization LRN", perInstance),
    ...allOf("HannWindow HammingWindow BlackmanWindow", windows),
    BatchNormalization: batchNormalization,
    DFT: fourier,
    LpNormalization: alongLast,
    MeanVarianceNormalization: meanVariance,
    MelWeightMatrix: mel,
    STFT: shortFourier,
  },
};
