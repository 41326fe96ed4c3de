import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { place, shapeOf } from "../place.ts";
import { one, type Size } from "../size.ts";
import { common, type Value } from "../value.ts";

/** A value with one more axis behind the others, padded to the longest row. */
function lengthened(node: NodeView, value: Value, fill: string): Value {
  if (value.kind === "mixed") return value;
  if (value.kind === "common") return common();
  const shape = shapeOf(value);
  const placed = place(node, [...shape, node.fresh("longest")], [{ value, axes: shape.map((_, axis) => axis) }]);
  return placed.kind === "rows" ? { ...placed, uniform: false, padding: { axis: shape.length, fill } } : placed;
}

/** StringSplit-20: as many pieces as the text with most of them has, but how many a text has is its own. */
const stringSplit: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  const counts = place(node, shape, [{ value, axes: shape.map((_, axis) => axis) }]);
  return [lengthened(node, value, ""), counts];
};

/** StringNormalizer-10: words it stops are taken out of the list, so that fewer come out; it takes a list, or a matrix of one row. */
const stringNormalizer: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  if (value.kind === "rows" && shape.length !== 1) return node.mixed("takes a single row");
  if ((node.texts("stopwords") ?? []).length > 0) {
    return value.kind === "common" ? common() : node.mixed("takes words out, so that the rest move up");
  }
  return place(node, shape, [{ value, axes: shape.map((_, axis) => axis) }]);
};

/** TfIdfVectorizer-9: [tokens] is one text, [rows, tokens] a text a row. */
const tfIdf: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  if (value.kind === "common") return common();
  const largest = Math.max(-1, ...(node.ints("ngram_indexes") ?? []));
  const terms: Size = largest < 0 ? node.fresh("terms") : { factor: largest + 1, symbols: [] };
  if (value.kind === "rows" && shape.length !== 2) return node.mixed("reads a value of one axis as a single row");
  return place(node, [shape[0] ?? one, terms], [{ value, axes: [0, -1] }]);
};

/** com.microsoft.Tokenizer: one more axis, as long as the text with most tokens needs, with 'pad_value' behind shorter ones. */
export const tokenizer: Rule = (node) => lengthened(node, node.input(0), node.text("pad_value", ""));

/** Operators on text. */
export const text: OperatorTable = {
  source: "ai.onnx: StringNormalizer-10, StringSplit-20, TfIdfVectorizer-9",
  rules: { StringNormalizer: stringNormalizer, StringSplit: stringSplit, TfIdfVectorizer: tfIdf },
};
