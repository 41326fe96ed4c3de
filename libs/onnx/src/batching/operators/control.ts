import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { shapeOf } from "../place.ts";
import { numberOf, type Size, sameSize } from "../size.ts";
import { axisOf, common, type Rows, type Shape, type Value } from "../value.ts";

/** Rounds until the states of a loop are known; each makes something less known, and there is little to be known. */
const mostRounds = 6;

/** If-1 … -24: a condition that is the same for all rows chooses for all of them. */
const branch: Rule = (node) => {
  const condition = node.input(0);
  if (condition.kind === "mixed") return condition;
  if (condition.kind !== "common") return node.mixed("chooses by what is in the rows");
  const chosen = numberOf(node.elements(0)?.[0]);
  const [then, otherwise] = ["then_branch", "else_branch"].map((name) => {
    const graph = node.graph(name);
    return graph === undefined ? [] : node.body(graph, []);
  }) as [readonly Value[], readonly Value[]];
  if (chosen !== undefined) return chosen === 0 ? otherwise : then;
  return then.map(
    (value, index) =>
      joined(node, value, otherwise[index], index) ?? node.mixed("has branches that lay the rows out differently"),
  );
};

/**
 * Loop-1 … -24: as many rounds for all rows, where count and condition are the same for all; states keep their layout from round to round; what each round gives
 * is stacked on a new first axis.
 */
const loop: Rule = (node) => {
  const body = node.graph("body");
  if (body === undefined) return node.mixed("has no body");
  const [count, condition, ...initial] = node.inputs;
  const bad = [count, condition].find((value) => value !== undefined && value.kind !== "common");
  if (bad !== undefined) return bad.kind === "mixed" ? bad : node.mixed("goes on for as long as the rows say");
  return settled(node, initial, (states) => {
    const [goesOn, ...rest] = node.body(body, [common([]), common([]), ...states]);
    if (goesOn !== undefined && goesOn.kind !== "common")
      return goesOn.kind === "mixed" ? goesOn : node.mixed("goes on for as long as the rows say");
    const given = rest.slice(states.length).map((value) => stacked(node, value, 0));
    return { states: rest.slice(0, states.length), given };
  });
};

/** Scan-9 … -24: states, and inputs whose elements along an axis are taken one by one; not along the rows. */
const scan: Rule = (node) => {
  const body = node.graph("body");
  const count = node.int("num_scan_inputs", 0);
  if (body === undefined || node.opset < 9) return node.mixed("is of a version that is not followed");
  const initial = node.inputs.slice(0, node.inputs.length - count);
  const inputs = node.inputs.slice(node.inputs.length - count);
  const elements = inputs.map((value, index) => without(node, value, node.ints("scan_input_axes")?.[index] ?? 0));
  const bad = elements.find((value) => value.kind === "mixed");
  if (bad !== undefined) return bad;
  const first = shapeOf(inputs[0] ?? common());
  const rounds = first[axisOf(node.ints("scan_input_axes")?.[0] ?? 0, first.length)] ?? node.fresh("rounds");
  return settled(node, initial, (states) => {
    const rest = node.body(body, [...states, ...elements]);
    const given = rest
      .slice(states.length)
      .map((value, index) => stacked(node, value, node.ints("scan_output_axes")?.[index] ?? 0, rounds));
    return { states: rest.slice(0, states.length), given };
  });
};

type Round = { readonly states: readonly Value[]; readonly given: readonly Value[] };

/** What a loop gives once its states are of a kind that a round keeps. */
function settled(
  node: NodeView,
  initial: readonly (Value | undefined)[],
  round: (states: readonly Value[]) => Round | Value,
): readonly Value[] | Value {
  let states: readonly Value[] = initial.map((value) => forgetful(value ?? common()));
  for (let count = 0; count < mostRounds; count += 1) {
    const result = round(states);
    if ("kind" in result) return result;
    const next = states.map(
      (state, index) =>
        joined(node, state, result.states[index], index) ??
        node.mixed("lays the rows out differently from round to round"),
    );
    if (next.every((value, index) => isSame(value, states[index] as Value))) {
      const last = states.map((state, index) => lastOf(node, state, initial[index], index));
      return [...last, ...result.given];
    }
    states = next;
  }
  return node.mixed("does not keep the layout of its states");
}

/** What a state is after the last round: lengths that change from round to round are no longer those the last one began with. */
function lastOf(node: NodeView, state: Value, first: Value | undefined, label: number): Value {
  if (state.kind === "mixed" || state.shape === undefined) return state;
  const from = shapeOf(first ?? common());
  const shape = state.shape.map((size, axis) => {
    const before = from[axis];
    return before !== undefined && sameSize(size, before) ? size : node.fresh(`last${label}.${axis}`);
  });
  return { ...state, shape } as Value;
}

/** A state without the elements it begins with. */
function forgetful(value: Value): Value {
  return value.kind === "common" ? common(value.shape) : value;
}

/** What is true of both values; undefined where one has rows where the other has not. */
function joined(node: NodeView, left: Value, right: Value | undefined, label: number): Value | undefined {
  if (right === undefined) return undefined;
  if (left.kind === "mixed") return left;
  if (right.kind === "mixed") return right;
  if (left.kind === "common" && right.kind === "common") {
    return common(left.shape && right.shape && joinedShape(node, left.shape, right.shape, label));
  }
  if (left.kind !== "rows" || right.kind !== "rows" || left.axis !== right.axis) return undefined;
  if (left.padding !== undefined || right.padding !== undefined) return undefined;
  if (!sameSize(left.outer, right.outer) || !sameSize(left.inner, right.inner)) return undefined;
  const shape = joinedShape(node, left.shape, right.shape, label);
  if (shape === undefined || !sameSize(shape[left.axis] as Size, left.shape[left.axis] as Size)) return undefined;
  return { ...left, shape, uniform: left.uniform && right.uniform } satisfies Rows;
}

function joinedShape(node: NodeView, left: Shape, right: Shape, label: number): Shape | undefined {
  if (left.length !== right.length) return undefined;
  return left.map((size, axis) => (sameSize(size, right[axis] as Size) ? size : node.fresh(`state${label}.${axis}`)));
}

function isSame(left: Value, right: Value): boolean {
  if (left.kind !== right.kind) return false;
  if (left.kind === "mixed" || right.kind === "mixed") return true;
  if ((left.shape === undefined) !== (right.shape === undefined)) return false;
  if (left.kind === "rows" && right.kind === "rows" && left.uniform !== right.uniform) return false;
  return (left.shape ?? []).every((size, axis) => sameSize(size, right.shape?.[axis] as Size));
}

/** One round's value, with the rounds on a new axis. */
function stacked(node: NodeView, value: Value, given: number, rounds = node.fresh("rounds")): Value {
  if (value.kind === "mixed") return value;
  if (value.kind === "sizes") return node.mixed("computes with the number of rows");
  if (value.shape === undefined) return common();
  const axis = axisOf(given, value.shape.length + 1);
  const shape = [...value.shape.slice(0, axis), rounds, ...value.shape.slice(axis)];
  if (value.kind === "common") return common(shape);
  return { ...value, shape, axis: value.axis < axis ? value.axis : value.axis + 1 };
}

/** One element along an axis. */
function without(node: NodeView, value: Value | undefined, given: number): Value {
  if (value === undefined || value.kind === "mixed") return value ?? node.mixed("lacks an input");
  if (value.kind === "sizes") return node.mixed("computes with the number of rows");
  if (value.shape === undefined) return common();
  const axis = axisOf(given, value.shape.length);
  const shape = value.shape.filter((_, at) => at !== axis);
  if (value.kind === "common") return common(shape);
  if (value.axis === axis) return node.mixed("takes the rows one after another");
  return { ...value, shape, axis: value.axis < axis ? value.axis : value.axis - 1 };
}

/** Operators with graphs of their own. */
export const control: OperatorTable = {
  source: "ai.onnx: If, Loop, Scan",
  rules: { If: branch, Loop: loop, Scan: scan },
};
