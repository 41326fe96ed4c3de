import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { place, shapeOf } from "../place.ts";
import { dependsOnRows, isOne, numberOf, over, type Size, sizeOf } from "../size.ts";
import { axisOf, common, type Rows, type Shape } from "../value.ts";

const noFollowing = "takes a value of unknown shape";

/** Slice-1 by attributes, Slice-10 … -13 by inputs. The rows' axis must stay whole and in order. */
const slice: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  if (node.inputs.slice(1).some((input) => input !== undefined && input.kind !== "common"))
    return node.mixed("cuts at places that depend on the rows");
  if (value.kind === "sizes") return node.mixed("computes with the number of rows");
  if (value.shape === undefined) return common();
  const byInputs = node.opset >= 10;
  const starts = byInputs ? node.numbers(1) : node.ints("starts");
  const ends = byInputs ? node.numbers(2) : node.ints("ends");
  const steps = node.has(4) ? node.numbers(4) : [];
  const length = lengthOf(node, byInputs) ?? value.shape.length;
  const axes =
    (byInputs ? (node.has(3) ? node.numbers(3) : undefined) : node.ints("axes")) ??
    (byInputs && node.has(3) ? undefined : Array.from({ length }, (_, axis) => axis));
  if (axes === undefined) return value.kind === "common" ? common() : node.mixed("cuts axes that are computed");
  const to = [...value.shape];
  for (const [index, given] of axes.entries()) {
    const axis = axisOf(given, to.length);
    const [start, end, step] = [starts?.[index], ends?.[index], steps === undefined ? undefined : (steps[index] ?? 1)];
    if (start === 0 && step === 1 && end !== undefined && end >= 2 ** 31 - 1) continue;
    if (value.kind === "rows" && axis === value.axis) return node.mixed("takes a part of the axis of the rows");
    to[axis] = slicedLength(value.shape[axis], start, end, step) ?? node.fresh(axis);
  }
  return value.kind === "common" ? common(to) : { ...value, shape: to };
};

function lengthOf(node: NodeView, byInputs: boolean): number | undefined {
  return byInputs ? numberOf(shapeOf(node.input(1))[0]) : node.ints("starts")?.length;
}

function slicedLength(size: Size | undefined, start?: number, end?: number, step?: number): Size | undefined {
  const length = numberOf(size);
  if (length === undefined || start === undefined || end === undefined || step === undefined || step < 1)
    return undefined;
  const at = (bound: number) => Math.min(Math.max(bound < 0 ? bound + length : bound, 0), length);
  return sizeOf(Math.max(0, Math.ceil((at(end) - at(start)) / step)));
}

/** Split-1 … -18. */
const split: Rule = (node) => {
  const value = node.input(0);
  if (value.kind === "mixed") return value;
  const whole = shapeOf(value);
  const axis = axisOf(node.int("axis", 0), whole.length);
  if (value.kind === "sizes" || (value.kind === "rows" && value.axis === axis))
    return node.mixed("parts the axis of the rows");
  if (node.has(1) && node.input(1).kind !== "common") return node.mixed("cuts at places that depend on the rows");
  if (value.shape === undefined) return Array(node.outputCount).fill(common());
  if (whole[axis] === undefined) return node.mixed("parts an axis that its input has not");
  const parts = node.opset < 13 ? node.ints("split") : node.has(1) ? node.numbers(1) : undefined;
  const even = node.has(1) ? undefined : over(whole[axis] as Size, sizeOf(node.outputCount));
  return Array.from({ length: node.outputCount }, (_, index) => {
    const part = parts?.[index];
    const size = part === undefined ? (even ?? node.fresh(index)) : sizeOf(part);
    const shape = whole.map((length, at) => (at === axis ? size : length));
    return value.kind === "common" ? common(shape) : { ...value, shape };
  });
};

/** Concat-1 … -13, along any axis but the rows'. */
const concat: Rule = (node) => {
  const values = node.inputs.filter((value) => value !== undefined);
  const known = values.find((value) => value.kind !== "mixed" && value.shape !== undefined);
  const rank = shapeOf(known ?? node.input(0)).length;
  const axis = axisOf(node.int("axis", 1), rank);
  if (values.every(({ kind }) => kind === "common") && values.some((value) => shapeOf(value).length !== rank))
    return common();
  const lengths = values.map((value) => shapeOf(value)[axis]);
  const total = lengths.reduce<number | undefined>((sum, size) => {
    const number = numberOf(size);
    return sum === undefined || number === undefined ? undefined : sum + number;
  }, 0);
  const shape = shapeOf(known ?? node.input(0)).map((size, at) =>
    at === axis ? (total === undefined ? node.fresh("length") : sizeOf(total)) : size,
  );
  const rows = values.find((value): value is Rows => value.kind === "rows");
  if (rows !== undefined && rows.axis === axis && values.length > 1)
    return node.mixed("sets values behind each other along the axis of the rows");
  if (rows !== undefined && values.some((value) => value.kind === "common"))
    return node.mixed("joins the rows with a value that has no rows");
  const axes = Array.from({ length: rank }, (_, at) => (at === axis && values.length > 1 ? -1 : at));
  return place(
    node,
    shape,
    values.map((value) => ({ value, axes })),
  );
};

/** Gather-1 … -13: indices of rows into what is the same for all, or the same indices into every row. */
const gather: Rule = (node) => {
  const [data, indices] = [node.input(0), node.input(1)];
  const bad = [data, indices].find((value) => value.kind === "mixed");
  if (bad !== undefined) return bad;
  const from = shapeOf(data);
  const picked = shapeOf(indices);
  const unknown = [data, indices].some((value) => value.kind !== "mixed" && value.shape === undefined);
  if (unknown) return data.kind === "common" && indices.kind === "common" ? common() : node.mixed(noFollowing);
  const axis = axisOf(node.int("axis", 0), from.length);
  const shape = [...from.slice(0, axis), ...picked, ...from.slice(axis + 1)];
  if (data.kind === "rows" && indices.kind === "rows")
    return node.mixed("looks the rows' elements up in the rows of the run");
  return place(node, shape, [
    { value: data, axes: from.map((_, at) => (at === axis ? -1 : at < axis ? at : at - 1 + picked.length)) },
    { value: indices, axes: picked.map((_, at) => at + axis) },
  ]);
};

/** GatherElements-11, -13, and ScatterElements-11 … -18 (before: Scatter): positions along one axis, all others alike. */
function alongAxis(outputLike: number): Rule {
  return (node) => {
    const values = node.inputs.filter((value) => value !== undefined);
    const bad = values.find((value) => value.kind === "mixed");
    if (bad !== undefined) return bad;
    const like = values[outputLike];
    if (like === undefined) return node.mixed(noFollowing);
    const shape = shapeOf(like);
    const axis = axisOf(node.int("axis", 0), shape.length);
    // An index tensor may be shorter than the data on other axes: then it takes the first rows, whoever they are.
    if (values.some(({ kind }) => kind === "rows") && values.some(({ kind }) => kind === "common"))
      return node.mixed("sets the rows beside a value that has no rows");
    const axes = shape.map((_, at) => (at === axis ? -1 : at));
    return place(
      node,
      shape,
      values.map((value) => ({ value, axes })),
    );
  };
}

/** GatherND-11 … -13: 'batch_dims' leading axes are alike in data and indices. */
const gatherNd: Rule = (node) => {
  const [data, indices] = [node.input(0), node.input(1)];
  const bad = [data, indices].find((value) => value.kind === "mixed");
  if (bad !== undefined) return bad;
  const shared = node.int("batch_dims", 0);
  const [from, at] = [shapeOf(data), shapeOf(indices)];
  const depth = numberOf(at.at(-1));
  if (at.length === 0 || depth === undefined)
    return data.kind === "common" && indices.kind === "common" ? common() : node.mixed(noFollowing);
  const tail = from.slice(shared + depth);
  const shape = [...at.slice(0, -1), ...tail];
  const ofData = from.map((_, axis) =>
    axis < shared ? axis : axis < shared + depth ? -1 : axis - shared - depth + at.length - 1,
  );
  const ofIndices = at.map((_, axis) => (axis === at.length - 1 ? -1 : axis));
  if (data.kind === "common" && indices.kind === "rows" && indices.axis < shared)
    return node.mixed("looks each row up in a place of its own of a constant");
  if (data.kind === "rows" && data.axis >= shared && indices.kind === "rows")
    return node.mixed("looks the rows' elements up in the rows of the run");
  return place(node, shape, [
    { value: data, axes: ofData },
    { value: indices, axes: ofIndices },
  ]);
};

/** ScatterND-11 … -18 at the same places of every row: the rows lie behind the axes that indices address. */
const scatterNd: Rule = (node) => {
  const [data, indices, updates] = [node.input(0), node.input(1), node.input(2)];
  const bad = [data, indices, updates].find((value) => value.kind === "mixed");
  if (bad !== undefined) return bad;
  const [from, at] = [shapeOf(data), shapeOf(indices)];
  const depth = numberOf(at.at(-1));
  if (indices.kind !== "common") return node.mixed("writes to places that depend on the rows");
  if (data.kind === "common" && updates.kind === "common") return common(data.shape);
  if (depth === undefined) return node.mixed(noFollowing);
  if (data.kind !== "rows" || updates.kind !== "rows")
    return node.mixed("writes rows into what has none, or the reverse");
  return place(node, from, [
    { value: data, axes: from.map((_, axis) => (axis < depth ? -1 : axis)) },
    {
      value: updates,
      axes: shapeOf(updates).map((_, axis) => (axis < at.length - 1 ? -1 : axis - at.length + 1 + depth)),
    },
  ]);
};

/** TopK-1 … -24 along any axis but the rows'. */
const topK: Rule = (node) => {
  const value = node.input(0);
  const whole = shapeOf(value);
  const axis = axisOf(node.int("axis", -1), whole.length);
  const count = node.opset < 10 ? sizeOf(node.int("k", 1)) : node.length(node.elements(1)?.[0], "k");
  if (node.opset >= 10 && node.input(1).kind !== "common") return node.mixed("keeps as many as depends on the rows");
  const result = place(
    node,
    whole.map((size, at) => (at === axis ? count : size)),
    [{ value, axes: whole.map((_, at) => (at === axis ? -1 : at)) }],
  );
  return [result, result];
};

/** OneHot-9, -11: one more axis. */
const oneHot: Rule = (node) => {
  const value = node.input(0);
  if (node.inputs.slice(1).some((input) => input?.kind !== "common"))
    return node.mixed("takes its settings from the rows");
  const from = shapeOf(value);
  const axis = axisOf(node.int("axis", -1), from.length + 1);
  const depth = node.length(node.elements(1)?.[0], "depth");
  return place(
    node,
    [...from.slice(0, axis), depth, ...from.slice(axis)],
    [{ value, axes: from.map((_, at) => (at < axis ? at : at + 1)) }],
  );
};

/** Trilu-14 and other operators that work on the last two axes as matrices. */
const matrices: Rule = (node) => {
  if (node.inputs.slice(1).some((input) => input !== undefined && input.kind !== "common"))
    return node.mixed("takes its settings from the rows");
  const value = node.input(0);
  const shape = shapeOf(value);
  return place(node, shape, [{ value, axes: shape.map((_, at) => (at < shape.length - 2 ? at : -1)) }]);
};

const determinant: Rule = (node) => {
  const value = node.input(0);
  const shape = shapeOf(value);
  return place(node, shape.slice(0, -2), [{ value, axes: shape.map((_, at) => (at < shape.length - 2 ? at : -1)) }]);
};

/** ReverseSequence-10: each row up to a length of its own. */
const reverseSequence: Rule = (node) => {
  const [value, lengths] = [node.input(0), node.input(1)];
  const [batch, time] = [node.int("batch_axis", 1), node.int("time_axis", 0)];
  const shape = shapeOf(value);
  return place(node, shape, [
    { value, axes: shape.map((_, at) => (at === time ? -1 : at)) },
    { value: lengths, axes: [batch] },
  ]);
};

/** Compress-9, -11 and NonZero-9, -13: how much comes out depends on the elements. */
const countsElements: Rule = (node) => {
  const bad = node.inputs.find((value) => value?.kind === "mixed");
  return bad ?? node.mixed("gives as many elements as the elements of the whole run say");
};

/** Resize-10 … -19 and Upsample-7, -9 in space: the rows' axis keeps its length. */
const resize: Rule = (node) => {
  const value = node.input(0);
  if (value.kind !== "rows")
    return value.kind === "common" ? common(value.shape?.map((_, axis) => node.fresh(axis))) : value;
  const modern = node.operator === "Resize" && node.opset >= 11;
  const [scales, sizes] = modern
    ? [node.elements(2), node.elements(3)]
    : [node.opset < 9 ? node.floats("scales")?.map(sizeOf) : node.elements(1), undefined];
  const axes = node.ints("axes")?.map((axis) => axisOf(axis, value.shape.length)) ?? value.shape.map((_, axis) => axis);
  const bad = node.inputs.slice(1).find((input) => input?.kind === "mixed" || input?.kind === "rows");
  if (bad !== undefined) return bad.kind === "mixed" ? bad : node.mixed("takes its size from the elements of the rows");
  const at = axes.indexOf(value.axis);
  const scale = scales?.length === axes.length ? scales[at] : undefined;
  const size = sizes?.length === axes.length ? sizes[at] : undefined;
  // Otherwise than stretched, one factor is made of all lengths asked for, and taken for the rows as well.
  const stretches = node.text("keep_aspect_ratio_policy", "stretch") === "stretch";
  if (!stretches && at >= 0 && sizes !== undefined) return node.mixed("may resize the axis of the rows");
  if (
    [...(scales ?? []), ...(sizes ?? [])].some((wanted, index) => index % axes.length !== at && dependsOnRows(wanted))
  )
    return node.mixed("makes a second axis as long as the batch");
  const keeps = at < 0 || isOne(scale) || (size !== undefined && sameAs(size, value));
  if (!keeps || node.text("coordinate_transformation_mode") === "tf_crop_and_resize")
    return node.mixed("may resize the axis of the rows");
  const to: Shape = value.shape.map((length, axis) => {
    const index = axes.indexOf(axis);
    if (axis === value.axis || index < 0) return length;
    const [wanted, factor] = [sizes?.[index], scales?.[index]];
    if (sizes?.length === axes.length && wanted !== undefined) return node.length(stretches ? wanted : undefined, axis);
    const [known, by] = [numberOf(length), numberOf(factor)];
    if (isOne(factor)) return length;
    if (known === undefined || by === undefined) return node.fresh(axis);
    // The product is rounded to FP32 before it is cut off.
    const scaled = Math.floor(known * by);
    return scaled === Math.floor(Math.fround(known * by)) ? sizeOf(scaled) : node.fresh(axis);
  });
  return { ...value, shape: to };
};

function sameAs(size: Size, value: Rows): boolean {
  const own = value.shape[value.axis] as Size;
  const ratio = over(size, own);
  return ratio !== undefined && isOne(ratio);
}

/** Operators that pick, join, order or write elements. */
export const selecting: OperatorTable = {
  source: "ai.onnx: each operator's own section of the versions named in the rules",
  rules: {
    Compress: countsElements,
    Concat: concat,
    Det: determinant,
    Gather: gather,
    GatherElements: alongAxis(1),
    GatherND: gatherNd,
    NonZero: countsElements,
    OneHot: oneHot,
    Resize: resize,
    ReverseSequence: reverseSequence,
    Scatter: alongAxis(0),
    ScatterElements: alongAxis(0),
    ScatterND: scatterNd,
    Slice: slice,
    Split: split,
    TopK: topK,
    Trilu: matrices,
    Upsample: resize,
  },
};
