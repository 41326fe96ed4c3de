import type { NodeView, OperatorTable, Rule } from "../node-view.ts";
import { type Placed, place, shapeOf } from "../place.ts";
import { type Size, sizeOf } from "../size.ts";
import type { Value } from "../value.ts";

/**
 * RNN, GRU and LSTM (-1 … -22): X [time, batch, size], or [batch, time, size] with 'layout' 1. Weights are constants; lengths and initial states are of the rows.
 * Y [time, directions, batch, hidden]; last states [directions, batch, hidden]; with 'layout' 1 the batch comes first.
 */
const recurrent: Rule = (node) => {
  const value = node.input(0);
  const isLstm = node.operator === "LSTM";
  if (
    [1, 2, 3].some((at) => node.has(at) && node.input(at).kind !== "common") ||
    (isLstm && node.has(7) && node.input(7).kind !== "common")
  )
    return node.mixed("takes its weights from the rows");
  const first = node.int("layout", 0) === 1;
  const shape = shapeOf(value);
  const [time, batch] = first ? [shape[1], shape[0]] : [shape[0], shape[1]];
  const hidden = node.int("hidden_size") === undefined ? node.fresh("hidden") : sizeOf(node.int("hidden_size", 0));
  const directions = sizeOf(node.text("direction", "forward") === "bidirectional" ? 2 : 1);
  if (time === undefined || batch === undefined) return node.mixed("takes a value of unknown shape");
  const layout = { time, batch, hidden, directions, first };
  const last = node.outputCount > 1 ? outcome(node, layout, false) : undefined;
  return [outcome(node, layout, true), ...(last === undefined ? [] : [last, ...(isLstm ? [last] : [])])];
};

interface Layout {
  readonly time: Size;
  readonly batch: Size;
  readonly hidden: Size;
  readonly directions: Size;
  readonly first: boolean;
}

/** All states, or the last ones. */
function outcome(node: NodeView, { time, batch, hidden, directions, first }: Layout, all: boolean): Value {
  const shape = first
    ? [batch, ...(all ? [time] : []), directions, hidden]
    : [...(all ? [time] : []), directions, batch, hidden];
  const target = first ? 0 : shape.length - 2;
  const axes = (rank: number, at: number) => Array.from({ length: rank }, (_, axis) => (axis === at ? target : -1));
  const placed = (at: number, rank: number, axis: number): Placed | undefined =>
    node.has(at) ? { value: node.input(at), axes: axes(rank, axis) } : undefined;
  const stateAxis = first ? 0 : 1;
  return place(node, shape, [
    placed(0, 3, first ? 0 : 1),
    placed(4, 1, 0),
    placed(5, 3, stateAxis),
    placed(6, 3, stateAxis),
  ]);
}

/** Recurrent layers. */
export const recurrentLayers: OperatorTable = {
  source: "ai.onnx: RNN, GRU, LSTM",
  rules: { GRU: recurrent, LSTM: recurrent, RNN: recurrent },
};
