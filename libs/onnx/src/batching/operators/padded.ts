import type { NodeView } from "../node-view.ts";
import { broadcast, shapeOf } from "../place.ts";
import { isOne, numberOf, type Size, sameSize } from "../size.ts";
import type { Padding, Rows, Value } from "../value.ts";
import { reduce, reducedAxes } from "./reducing.ts";
import { text } from "./text.ts";

type Fill = Padding["fill"];

export function isPadded(value: Value | undefined): value is Rows & { readonly padding: Padding } {
  return value?.kind === "rows" && value.padding !== undefined;
}

/**
 * What an operator makes of rows that are padded to the longest one in the run. Few keep what a row has of its own apart from how long its neighbours are: those
 * that work on each element, sums over a padding of 0, and counts of words that the padding is not among.
 */
export function paddedOutcome(node: NodeView): Value {
  const rule = Object.hasOwn(rules, node.operator) ? rules[node.operator] : undefined;
  return rule?.(node) ?? node.mixed("works on rows that are padded to the longest one in the run");
}

type PaddedRule = (node: NodeView) => Value | undefined;

/** Each element on its own, so the padding, too, becomes one and the same element. */
function each(fillOf: (fills: readonly Fill[], node: NodeView) => Fill): PaddedRule {
  return (node) => {
    const padded = node.inputs.filter(isPadded);
    const first = padded[0];
    if (first === undefined || padded.some((value) => !alike(value, first))) return undefined;
    if (node.inputs.some((value) => value !== undefined && !isPadded(value) && !isSingle(value))) return undefined;
    const result = broadcast(node, node.inputs);
    if (result.kind !== "rows" || result.shape.length !== first.shape.length) return undefined;
    const fills = node.inputs.map((value) => (isPadded(value) ? value.padding.fill : singleOf(value)));
    return { ...result, padding: { axis: first.padding.axis, fill: fillOf(fills, node) } };
  };
}

function alike(left: Rows & { padding: Padding }, right: Rows & { padding: Padding }): boolean {
  const lengthOf = ({ shape, padding }: typeof left) => shape[padding.axis] as Size;
  return (
    left.padding.axis === right.padding.axis &&
    left.shape.length === right.shape.length &&
    sameSize(lengthOf(left), lengthOf(right))
  );
}

function isSingle(value: Value): boolean {
  return value.kind === "common" && value.shape !== undefined && value.shape.length <= 1 && value.shape.every(isOne);
}

function singleOf(value: Value | undefined): Fill {
  return value?.kind === "common" ? (value.text ?? numberOf(value.elements?.[0])) : undefined;
}

/** The element that a look-up gives for the padding (LabelEncoder-2, -4). */
function lookedUp([fill]: readonly Fill[], node: NodeView): Fill {
  const keys = node.texts("keys_strings");
  if (typeof fill !== "string" || keys === undefined) return undefined;
  const at = keys.indexOf(fill);
  if (at !== keys.lastIndexOf(fill)) return undefined;
  const texts = node.texts("values_strings");
  if (texts !== undefined) return at < 0 ? node.text("default_string", "_Unused") : texts[at];
  const numbers = node.ints("values_int64s");
  if (numbers === undefined) return undefined;
  return at < 0 ? node.int("default_int64", -1) : numbers[at];
}

const known = (calculate: (...fills: (string | number)[]) => Fill) => (fills: readonly Fill[]) =>
  fills.includes(undefined) ? undefined : calculate(...(fills as (string | number)[]));

/** A sum over the padding, which must be 0. */
const sum: PaddedRule = (node) => {
  const value = node.input(0);
  const axes = reducedAxes(node);
  if (!isPadded(value) || typeof axes === "string" || !axes.includes(value.padding.axis) || value.padding.fill !== 0)
    return undefined;
  const { padding: _, ...rest } = value;
  return reduce(node, rest, axes, node.int("keepdims", 1) === 1);
};

/** Flatten of a matrix behind its first axis changes nothing. */
const flatten: PaddedRule = (node) =>
  shapeOf(node.input(0)).length === 2 && node.int("axis", 1) === 1 ? node.input(0) : undefined;

/** Counts of word sequences (TfIdfVectorizer-9): a word that no sequence has is not counted. */
const tfIdf: PaddedRule = (node) => {
  const value = node.input(0);
  const pool = node.texts("pool_strings");
  if (!isPadded(value) || value.padding.axis !== 1 || typeof value.padding.fill !== "string") return undefined;
  if (pool === undefined || pool.includes(value.padding.fill)) return undefined;
  const { padding: _, ...rest } = value;
  return text.rules.TfIdfVectorizer?.(node.with([rest])) as Value;
};

const rules: Readonly<Record<string, PaddedRule>> = {
  And: each(known((left, right) => (left !== 0 && right !== 0 ? 1 : 0))),
  // A fraction is cut off, a large number becomes another one.
  Cast: each(known((fill) => (fill === 0 || fill === 1 ? fill : undefined))),
  Equal: each(known((left, right) => (left === right ? 1 : 0))),
  Flatten: flatten,
  Identity: each(known((fill) => fill)),
  LabelEncoder: each(lookedUp),
  Not: each(known((fill) => (fill === 0 ? 1 : 0))),
  Or: each(known((left, right) => (left !== 0 || right !== 0 ? 1 : 0))),
  ReduceSum: sum,
  TfIdfVectorizer: tfIdf,
  Where: each(known((condition, left, right) => (condition === 0 ? right : left))),
};
