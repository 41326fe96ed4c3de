import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcast, place, shapeOf } from "../place.ts";
import { isOne, type Size, sizeOf, times } from "../size.ts";
import { common, type Value } from "../value.ts";
import { allOf } from "./elementwise.ts";
import { isBatchFirst } from "./layout.ts";
import { matmul } from "./products.ts";
import { areCommon, dynamicQuantize, quantizedEach, quantizedPair } from "./quantized.ts";
import { layerNormalization } from "./reducing.ts";
import { convolution } from "./spatial.ts";
import { tokenizer } from "./text.ts";

const each: Rule = (node) => broadcast(node, node.inputs);
const fromRows = "takes its weights or scales from the rows";

/** FusedMatMul, TransposeMatMul: either side transposed; whole stacks transposed are not followed. */
const fusedProduct: Rule = (node) =>
  node.int("transBatchA", 0) !== 0 || node.int("transBatchB", 0) !== 0
    ? node.mixed("changes the order of axes in a way that is not followed")
    : matmul(
        node,
        { value: node.input(0), transposed: node.int("transA", 0) !== 0 },
        { value: node.input(1), transposed: node.int("transB", 0) !== 0 },
        [node.inputs[2]],
      );

/** A scale for all of the left matrix at once, found in the rows themselves. */
const dynamicProduct: Rule = (node) =>
  node.inputs.every((value) => value?.kind === "common")
    ? common()
    : node.mixed("quantises the rows by a scale of all rows of a run");

/** MatMulIntegerToFloat: A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias. */
const integerToFloat: Rule = (node) =>
  areCommon(node, [1, 2, 3, 4, 5])
    ? matmul(node, { value: node.input(0) }, { value: node.input(1) }, [node.inputs[6]])
    : node.mixed(fromRows);

/** MatMulNBits, MatMulBnb4: weights in blocks, N columns; what is quantised of A is quantised within a row. */
const blockProduct: Rule = (node) => {
  if (!areCommon(node, [1, 2, 3, 4, 5])) return node.mixed(fromRows);
  const value = node.input(0);
  const shape = shapeOf(value);
  if (value.kind === "common" && value.shape === undefined) return common();
  return place(
    node,
    [...shape.slice(0, -1), sizeOf(node.int("N", 0))],
    [{ value, axes: shape.map((_, axis) => (axis === shape.length - 1 ? -1 : axis)) }],
  );
};

/** SkipLayerNormalization: input, skip, gamma, beta, bias → output, mean, deviation, sum. */
const skipNormalization: Rule = (node) => {
  const [value, skip] = [node.input(0), node.input(1)];
  if (!areCommon(node, [2, 3, 4])) return node.mixed(fromRows);
  const sum = broadcast(node, [value, skip]);
  if (sum.kind === "mixed") return sum;
  if (sum.kind === "rows" && sum.axis === sum.shape.length - 1) return node.mixed("works along the axis of the rows");
  const statistics = node.mixed("gives statistics that are not followed");
  return [sum, statistics, statistics, sum];
};

/** EmbedLayerNormalization: ids [batch, length], segments, tables, and a mask → [batch, length, hidden], mask lengths [batch], sum. */
const embedding: Rule = (node) => {
  const ids = node.input(0);
  if (!areCommon(node, [2, 3, 4, 5, 6])) return node.mixed(fromRows);
  const ofRows = [ids, node.inputs[1], node.inputs[7], node.inputs[8]].filter((value) => value !== undefined);
  if (ofRows.some((value) => !isBatchFirst(value) || value.shape.length !== 2))
    return node.mixed("takes ids that are not [rows, length]");
  const [batch, length] = shapeOf(ids) as [Size, Size];
  const hidden = shapeOf(node.input(2))[1] ?? node.fresh("hidden");
  const inputs = ofRows.map((value) => ({ value, axes: [0, -1] }));
  const whole = place(node, [batch, length, hidden], inputs);
  return [whole, place(node, [batch], inputs), whole];
};

/**
 * Attention and QAttention: input [batch, length, size] and constant weights; a mask [batch] or [batch, …], and biases that are the same for all or [batch, …].
 * With states of earlier calls it is not followed.
 */
function attention(constants: readonly number[], mask: number, past: number, bias: number | undefined): Rule {
  return (node) => {
    const value = node.input(0);
    if (!areCommon(node, constants)) return node.mixed(fromRows);
    if (node.has(past) || node.outputCount > 1)
      return node.mixed("keeps states of earlier calls in a way that is not followed");
    const batched = [value, node.inputs[mask], bias === undefined ? undefined : node.inputs[bias]].filter(
      (input) => input !== undefined,
    );
    const strange = batched.find((input) => !isBatchFirst(input) && !(input !== value && isShared(input)));
    if (strange !== undefined)
      return strange.kind === "mixed" ? strange : node.mixed("takes inputs whose first axis is not the rows'");
    const [batch, length, size] = shapeOf(value);
    if (batch === undefined || length === undefined || size === undefined)
      return node.mixed("takes a value of unknown shape");
    const sizes = node.ints("qkv_hidden_sizes");
    const width = sizes === undefined ? attentionWidth(node, size) : sizeOf(sizes[2] ?? 0);
    return place(
      node,
      [batch, length, width],
      batched.map((input) => ({ value: input, axes: shapeOf(input).map((_, axis) => (axis === 0 ? 0 : -1)) })),
    );
  };
}

/** A constant that stands for every row. */
function isShared(value: Value): boolean {
  return value.kind === "common" && value.shape !== undefined && value.shape.length > 1 && isOne(value.shape[0]);
}

function attentionWidth(node: NodeView, size: Size): Size {
  const weights = shapeOf(node.input(1))[1];
  return weights === undefined || weights.symbols.length > 0 ? size : sizeOf(weights.factor / 3);
}

/** MultiHeadAttention: query, key and value [batch, length, size], a bias, a mask and an addition [batch, …]. */
const multiHead: Rule = (node) => {
  if (!areCommon(node, [3])) return node.mixed(fromRows);
  if (node.inputs.slice(6).some((value) => value !== undefined) || node.outputCount > 1)
    return node.mixed("keeps states of earlier calls in a way that is not followed");
  const batched = [0, 1, 2, 4, 5].flatMap((at) => node.inputs[at] ?? []);
  const strange = batched.find((input, index) => !isBatchFirst(input) && !(index > 2 && isShared(input)));
  if (strange !== undefined)
    return strange.kind === "mixed" ? strange : node.mixed("takes inputs whose first axis is not the rows'");
  const query = shapeOf(node.input(0));
  const [batch, length, size] = query;
  if (query.length !== 3 || batch === undefined || length === undefined || size === undefined)
    return node.mixed("takes a packed value, which is not followed");
  const value = node.has(2) ? shapeOf(node.input(2)) : query;
  const width = value.length === 3 ? (value[2] as Size) : times(value[1] as Size, value[3] as Size);
  return place(
    node,
    [batch, length, width],
    batched.map((input) => ({ value: input, axes: shapeOf(input).map((_, axis) => (axis === 0 ? 0 : -1)) })),
  );
};

/** RotaryEmbedding: input [batch, …], positions [1] or [batch, length], two constant tables. */
const rotary: Rule = (node) => {
  const [value, positions] = [node.input(0), node.input(1)];
  if (!areCommon(node, [2, 3])) return node.mixed(fromRows);
  const shape = shapeOf(value);
  if (
    positions.kind !== "mixed" &&
    !isBatchFirst(positions) &&
    !(positions.kind === "common" && shapeOf(positions).every(isOne))
  )
    return node.mixed("takes positions that are not the rows'");
  return place(node, shape, [
    { value, axes: shape.map((_, axis) => (axis === 0 ? 0 : -1)) },
    ...(positions.kind === "common" ? [] : [{ value: positions, axes: [0, -1] }]),
  ]);
};

/** QGemm: A, its scale and zero point, B, its scale and zero point, C, and those of the output. */
const quantizedGemm: Rule = (node) =>
  areCommon(node, [1, 2, 3, 4, 5, 6, 7, 8])
    ? matmul(
        node,
        { value: node.input(0), transposed: node.int("transA", 0) !== 0 },
        { value: node.input(3), transposed: node.int("transB", 0) !== 0 },
      )
    : node.mixed(fromRows);

/** ONNX Runtime's own operators. */
export const contrib: OperatorTable = {
  source: "com.microsoft: ONNX Runtime docs/ContribOperators.md (1.22)",
  rules: {
    ...allOf("BiasGelu FastGelu Gelu MurmurHash3 QuickGelu", each),
    ...allOf("FusedMatMul TransposeMatMul FusedGemm", fusedProduct),
    ...allOf("DynamicQuantizeMatMul DynamicQuantizeLSTM", dynamicProduct),
    ...allOf("MatMulNBits MatMulBnb4", blockProduct),
    ...allOf("SkipLayerNormalization SkipSimplifiedLayerNormalization", skipNormalization),
    ...allOf("QLinearAdd QLinearMul", quantizedPair),
    ...allOf("QLinearLeakyRelu QLinearSigmoid", quantizedEach),
    Attention: attention([1, 2], 3, 4, 5),
    DynamicQuantizeLinear: dynamicQuantize,
    EmbedLayerNormalization: embedding,
    FusedConv: convolution(1),
    MatMulIntegerToFloat: integerToFloat,
    MultiHeadAttention: multiHead,
    NhwcFusedConv: convolution(1, true),
    QAttention: attention([1, 2, 3, 4, 6, 7], 5, 8, undefined),
    QGemm: quantizedGemm,
    RotaryEmbedding: rotary,
    SimplifiedLayerNormalization: layerNormalization,
    Tokenizer: tokenizer,
  },
};
