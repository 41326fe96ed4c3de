import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcast, place, shapeOf } from "../place.ts";
import { axisOf, type Value } from "../value.ts";

/** Each element of the output is made of the elements at its place in the inputs. */
const each: Rule = (node) => broadcast(node, node.inputs);

/** Only the first input is a batch; the others say how, and are the same for all. */
const eachOfFirst: Rule = (node) => {
  const [first, ...rest] = node.inputs;
  if (rest.some((value) => value !== undefined && value.kind !== "common"))
    return node.mixed("takes its settings from the rows");
  return broadcast(node, [first]);
};

/** Dropout gives its input back, unless it trains (Dropout-1 'is_test', Dropout-7 and -10 only infer, Dropout-12 'training_mode'). */
const dropout: Rule = (node) => {
  const trains = node.opset < 7 ? node.int("is_test", 0) === 0 : node.has(2) && node.numbers(2)?.[0] !== 0;
  if (trains) return node.mixed("trains: it drops elements at random");
  const value = broadcast(node, [node.input(0)]);
  return [value, value];
};

/** A slope is broadcast to the input, or, before operator set 7, has one element or one for each channel (PRelu-1, -7). */
const prelu: Rule = (node) => {
  const [x, slope] = [node.input(0), node.input(1)];
  if (node.opset >= 7) return broadcast(node, [x, slope]);
  return place(node, shapeOf(x), [
    { value: x, axes: shapeOf(x).map((_, axis) => axis) },
    { value: slope, axes: shapeOf(slope).length === 1 ? [1] : [] },
  ]);
};

/** Before operator set 7 broadcasting was asked for, and could begin at an axis (Add-1, -6 'broadcast', 'axis'). */
const arithmetic: Rule = (node) => {
  if (node.opset >= 7) return each(node);
  const [left, right] = [node.input(0), node.input(1)];
  if (node.int("broadcast", 0) === 0) return broadcast(node, [left, right]);
  const rank = shapeOf(left).length;
  const start = axisOf(node.int("axis", rank - shapeOf(right).length), rank);
  return place(node, shapeOf(left), [
    { value: left, axes: shapeOf(left).map((_, axis) => axis) },
    { value: right, axes: shapeOf(right).map((_, axis) => axis + start) },
  ]);
};

/** One rule for many operators. */
export function allOf(names: string, rule: Rule): Record<string, Rule> {
  return Object.fromEntries(names.split(" ").map((name) => [name, rule]));
}

/** Elementwise operators. */
export const elementwise: OperatorTable = {
  source: "ai.onnx: each operator's own section, 'element-wise' with 'Broadcasting in ONNX'",
  rules: {
    ...allOf(
      "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Affine ScaledTanh ParametricSoftplus",
      each,
    ),
    ...allOf("Add And Div Equal Greater Less Mul Or Pow Sub Xor", arithmetic),
    ...allOf(
      "BitShift BitwiseAnd BitwiseOr BitwiseXor GreaterOrEqual LessOrEqual Max Mean Min Mod StringConcat Sum Where",
      each,
    ),
    // Of CastLike's second input only the type counts.
    CastLike: (node) => broadcast(node, [node.input(0)]),
    Clip: eachOfFirst,
    RegexFullMatch: each,
    Cast: each,
    Dropout: dropout,
    PRelu: prelu,
  },
};

/** Whether all inputs but the first are the same for every run. */
export function onlyFirstVaries(node: NodeView): boolean {
  return node.inputs.slice(1).every((value: Value | undefined) => value === undefined || value.kind === "common");
}
