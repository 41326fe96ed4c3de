import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcast, place, shapeOf } from "../place.ts";
import { axisOf, common } from "../value.ts";
import { matmul } from "./products.ts";

/** Whether the inputs at these places are the same for every run. */
export function areCommon(node: NodeView, places: readonly number[]): boolean {
  return places.every((at) => node.inputs[at] === undefined || node.inputs[at]?.kind === "common");
}

/** QuantizeLinear and DequantizeLinear: one scale, one for each place of 'axis' (1), or for blocks along it (-21). */
const quantize: Rule = (node) => {
  const value = node.input(0);
  if (!areCommon(node, [1, 2])) return node.mixed("takes its scale from the rows");
  const shape = shapeOf(value);
  if (value.kind === "common") return common(value.shape);
  const scale = shapeOf(node.input(1));
  const axis = axisOf(node.int("axis", 1), shape.length);
  const single = scale.length === 0 || (scale.length === 1 && scale[0]?.factor === 1 && scale[0].symbols.length === 0);
  if (!single && value.kind === "rows" && value.axis === axis)
    return node.mixed("takes a scale for each place along the axis of the rows");
  if (scale.length > 1 && value.kind === "rows") return node.mixed("takes scales for blocks");
  return place(node, shape, [{ value, axes: shape.map((_, at) => at) }]);
};

/** QLinearMatMul-10, -21: a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point. */
const product: Rule = (node) =>
  areCommon(node, [1, 2, 4, 5, 6, 7])
    ? matmul(node, { value: node.input(0) }, { value: node.input(3) })
    : node.mixed("takes its scale from the rows");

/** DynamicQuantizeLinear-11: scale and zero point are those of the least and the largest element of the whole input, so of all rows. */
export const dynamicQuantize: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  const mixed = node.mixed("takes its scale from all rows of a run");
  return value.kind === "common" ? [common(value.shape), common([]), common([])] : [mixed, mixed, mixed];
};

/** com.microsoft QLinearAdd, QLinearMul: A, its scale and zero point, B and its, and those of the output. */
export const quantizedPair: Rule = (node) =>
  areCommon(node, [1, 2, 4, 5, 6, 7])
    ? broadcast(node, [node.inputs[0], node.inputs[3]])
    : node.mixed("takes its scale from the rows");

/** com.microsoft QLinearSigmoid and its like: X and four scales and zero points. */
export const quantizedEach: Rule = (node) =>
  areCommon(node, [1, 2, 3, 4]) ? broadcast(node, [node.inputs[0]]) : node.mixed("takes its scale from the rows");

/** Operators on quantised numbers. */
export const quantized: OperatorTable = {
  source: "ai.onnx: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, QLinearMatMul",
  rules: {
    DequantizeLinear: quantize,
    DynamicQuantizeLinear: dynamicQuantize,
    QLinearMatMul: product,
    QuantizeLinear: quantize,
  },
};
