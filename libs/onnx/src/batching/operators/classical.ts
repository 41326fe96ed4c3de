import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { broadcast, place, shapeOf } from "../place.ts";
import { one, type Size, sizeOf, times } from "../size.ts";
import { common, isPlain, type Shape, type Value } from "../value.ts";
import { allOf } from "./elementwise.ts";

const flat = "reads a value of one axis as a single row";

/** A matrix [rows, features] whose rows are worked on one by one. A value of one axis is one row, so rows on it would meet. */
function perRow(node: NodeView, inner: (features: Size) => Shape): Value {
  const value = node.input(0);
  const shape = shapeOf(value);
  if (value.kind === "rows" && shape.length === 1) return node.mixed(flat);
  if (value.kind === "common" && shape.length !== 2) return common();
  if (shape.length !== 2) return node.mixed("takes rows that are no matrix");
  return place(node, [shape[0] as Size, ...inner(shape[1] as Size)], [{ value, axes: [0, -1] }]);
}

/** Labels [rows] and scores [rows, classes]. Linear and SVM classifiers of two classes may give one score. */
const classifier: Rule = (node) => {
  const labels = node.texts("classlabels_strings") ?? node.ints("classlabels_int64s");
  const isTree = node.operator === "TreeEnsembleClassifier" && labels !== undefined && labels.length > 1;
  return [perRow(node, () => []), perRow(node, () => [isTree ? sizeOf(labels.length) : node.fresh("classes")])];
};

const regressor: Rule = (node) => {
  const targets = node.int("n_targets") ?? node.int("targets") ?? (node.operator === "LinearRegressor" ? 1 : undefined);
  return perRow(node, () => [
    node.operator === "SVMRegressor" ? one : targets === undefined ? node.fresh("targets") : sizeOf(targets),
  ]);
};

/** Scaler, Normalizer, Imputer: one setting for each feature. */
const perFeature: Rule = (node) => perRow(node, (features) => [features]);

const each: Rule = (node) => broadcast(node, [node.input(0)]);

/** OneHotEncoder-1: one more axis; a category it does not know is an error where 'zeros' is 0. */
const oneHotEncoder: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  const count = (node.texts("cats_strings") ?? node.ints("cats_int64s"))?.length;
  const depth = count === undefined ? node.fresh("categories") : sizeOf(count);
  return place(node, [...shape, depth], [{ value, axes: shape.map((_, axis) => axis) }]);
};

/** ArrayFeatureExtractor-1: Y picks along the last axis of X. Rows may be in X, or, where X is a list, in Y, which comes out as one line. */
const extractor: Rule = (node) => {
  const [data, picks] = [node.input(0), node.input(1)];
  const [from, at] = [shapeOf(data), shapeOf(picks)];
  if (data.kind === "rows" && from.length === 1) return node.mixed(flat);
  const before = from.length > 1 ? from.slice(0, -1) : [one];
  const count = times(...at);
  if (picks.kind !== "rows") {
    if (data.kind === "common" && data.shape === undefined) return common();
    return place(
      node,
      [...before, count],
      [
        { value: data, axes: from.map((_, axis) => (axis === from.length - 1 ? -1 : axis)) },
        { value: picks, axes: at.map(() => -1) },
      ],
    );
  }
  if (data.kind !== "common") return node.mixed("looks the rows' elements up in the rows of the run");
  const outer = times(picks.outer, ...at.slice(0, picks.axis));
  const inner = times(picks.inner, ...at.slice(picks.axis + 1));
  return {
    kind: "rows",
    shape: [...before, count],
    axis: before.length,
    outer,
    inner,
    uniform: picks.uniform && at.length === 1 && isPlain(picks),
  };
};

/** FeatureVectorizer-1: columns side by side. ONNX Runtime reads a value of one axis as a single row. */
const vectorizer: Rule = (node) => {
  const widths = node.ints("inputdimensions") ?? [];
  const total = sizeOf(widths.reduce((sum, width) => sum + width, 0));
  const values = node.inputs.filter((value) => value !== undefined);
  if (values.some((value) => value.kind === "rows" && value.shape.length === 1)) return node.mixed(flat);
  if (values.some((value) => value.kind === "common") && values.some((value) => value.kind === "rows"))
    return node.mixed("joins the rows with a value that has no rows");
  const [rows = one] = shapeOf(node.input(0));
  return place(
    node,
    [rows, total],
    values.map((value) => ({ value, axes: shapeOf(value).map((_, axis) => (axis === 0 ? 0 : -1)) })),
  );
};

/** TreeEnsemble-5 and its older forms give [rows, targets]. */
export const classical: OperatorTable = {
  source: "ai.onnx.ml: each operator's own section ('N' being the rows), versions 1 to 5",
  rules: {
    ...allOf("LinearClassifier SVMClassifier TreeEnsembleClassifier", classifier),
    ...allOf("LinearRegressor SVMRegressor TreeEnsemble TreeEnsembleRegressor", regressor),
    ...allOf("Imputer Normalizer Scaler", perFeature),
    ...allOf("Binarizer CategoryMapper LabelEncoder", each),
    ArrayFeatureExtractor: extractor,
    FeatureVectorizer: vectorizer,
    OneHotEncoder: oneHotEncoder,
  },
};
