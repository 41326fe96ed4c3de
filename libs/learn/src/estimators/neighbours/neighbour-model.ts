import { AimassError } from "@aimass/core";
import type { GraphBuilder } from "@aimass/onnx";
import type { Fitted, GraphOutput } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { type Json, packArray, unpackArray } from "../../packed-array.ts";
import type { ClassLabels, Prediction } from "../../targets.ts";
import { highest, labelsFromJson, labelsToJson } from "../class-scores.ts";
import { addClasses, addNumber, toDouble } from "../graph-parts.ts";
import { checkWidth, toDense } from "../training-rows.ts";
import { NearestList } from "./nearest-list.ts";

export interface Neighbours {
  /** Present for a classification. */
  readonly labels: ClassLabels | undefined;
  /** [rows × cols] */
  readonly rows: Float32Array;
  readonly cols: number;
  /** [rows × width]: weighted votes, the weight last. */
  readonly votes: Float64Array;
  readonly neighbours: number;
  readonly byDistance: boolean;
  /**
   * Squared distances count in steps of about this share of the rows' median squared length, and as one step at least, so that rounding does not decide
   * between equal rows, nor between rows that are equally far away.
   */
  readonly stepShare: number;
}

/**
 * Of a row far from all others, the share of its squared length that a step is at least: its distances differ from each other by little beside what they
 * are, and their last bits depend on the order of a sum.
 */
const farShare = 2 ** -32;

/** Where the steps of distances begin. Not half-way: between whole numbers, as categories differ by, that is often a distance itself. */
const offHalf = (Math.sqrt(5) - 1) / 2;
/** Rows that a median is taken of: a centre and a measure need not be exact. */
const mostSampled = 1000;

/** Squared distance of x and a row as |x|² − 2·x·row + |row|², around the median row, which outliers leave where it is, so that no digits are lost to it. */
export class NeighbourModel implements Fitted {
  readonly model: Neighbours;
  readonly #count: number;
  readonly #middle: Float64Array;
  readonly #centred: Float64Array;
  readonly #squares: Float64Array;
  /** One over the step of squared distances, a power of two. */
  readonly #perStep: number;

  constructor(model: Neighbours) {
    this.model = model;
    const { rows, cols, stepShare } = model;
    this.#count = rows.length / cols;
    this.#middle = Float64Array.from({ length: cols }, (_, j) => median(rows, j, cols) ?? 0);
    this.#centred = Float64Array.from(rows, (cell, i) => cell - this.#middle[i % cols]!);
    this.#squares = squaredLengths(this.#centred, cols);
    const usual = median(this.#squares.filter((square) => square > 0)) ?? 0;
    this.#perStep = 2 ** -Math.round(Math.log2(stepShare * usual || 1e-30));
  }

  get cols(): number {
    return this.model.cols;
  }

  predict(x: Matrix): Prediction {
    checkWidth(x, this.cols);
    const { labels, votes, byDistance } = this.model;
    const dense = toDense(x);
    const width = votes.length / this.#count;
    const shares = new Float64Array(x.rows * (width - 1));
    const list = new NearestList(this.model.neighbours);
    const row = new Float64Array(this.cols);
    const sums = new Float64Array(width);
    for (let r = 0; r < x.rows; r++) {
      for (let j = 0; j < this.cols; j++) row[j] = dense.data[r * this.cols + j]! - this.#middle[j]!;
      this.#findNearest(row, list);
      sums.fill(0);
      for (let i = 0; i < list.size; i++) {
        const near = byDistance ? 1 / Math.sqrt(Math.max(list.distances[i]!, 1)) : 1;
        for (let c = 0; c < width; c++) sums[c]! += near * votes[list.rows[i]! * width + c]!;
      }
      for (let c = 0; c < width - 1; c++) shares[r * (width - 1) + c] = sums[c]! / sums[width - 1]!;
    }
    if (labels === undefined) return { kind: "numbers", values: shares };
    return { kind: "classes", indices: highest(shares, labels.values.length), probabilities: shares, labels };
  }

  addToGraph(graph: GraphBuilder, input: string): readonly GraphOutput[] {
    const { labels, votes, byDistance, neighbours } = this.model;
    const [count, cols, width] = [this.#count, this.cols, votes.length / this.#count];
    const index = (name: string, value: number) => graph.constant(name, "INT64", [1], BigInt64Array.of(BigInt(value)));
    const middle = graph.constant("middle", "FP64", [cols], this.#middle);
    // Twice the rows rather than a step of its own: ONNX Runtime fuses a scalar scale into MatMul as FP32.
    const doubled = new Float64Array(cols * count);
    for (let r = 0; r < count; r++)
      for (let j = 0; j < cols; j++) doubled[j * count + r] = 2 * this.#centred[r * cols + j]!;
    const x = graph.node("Sub", [toDouble(graph, input), middle]);
    const last = index("last_axis", 1);
    const own = graph.node("ReduceSum", [graph.node("Mul", [x, x]), last], { keepdims: { int: 1 } });
    const product = graph.node("MatMul", [x, graph.constant("rows", "FP64", [cols, count], doubled)]);
    const squares = graph.constant("squares", "FP64", [count], this.#squares);
    const exact = graph.node("Add", [graph.node("Sub", [own, product]), squares]);
    const perStep = graph.constant("steps", "FP64", [1], Float64Array.of(this.#perStep));
    const begin = graph.constant("begin", "FP64", [1], Float64Array.of(offHalf));
    const one = graph.constant("one", "FP64", [1], Float64Array.of(1));
    const farSteps = graph.constant("far_steps", "FP64", [1], Float64Array.of(this.#perStep * farShare));
    const far = graph.node("Max", [graph.node("Mul", [own, farSteps]), one]);
    const inSteps = graph.node("Div", [graph.node("Mul", [exact, perStep]), far]);
    const distances = graph.node("Floor", [graph.node("Add", [inSteps, begin])]);
    const attributes = { axis: { int: 1 }, largest: { int: 0 }, sorted: { int: 1 } };
    const outputs = ["near_distances", "near_rows"];
    graph.node("TopK", [distances, index("neighbours", neighbours)], attributes, { outputs });
    const table = graph.constant("votes", "FP64", [count, width], votes);
    let near = graph.node("Gather", [table, "near_rows"], { axis: { int: 0 } });
    if (byDistance) {
      const inverse = graph.node("Reciprocal", [graph.node("Sqrt", [graph.node("Max", ["near_distances", one])])]);
      near = graph.node("Mul", [near, graph.node("Unsqueeze", [inverse, index("vote_axis", 2)])]);
    }
    const sums = graph.node("ReduceSum", [near, last], { keepdims: { int: 0 } });
    const [from, to, end] = [index("from", 0), index("to", width - 1), index("end", width)];
    const shares = graph.node("Slice", [sums, from, to, last]);
    const value = graph.node("Div", [shares, graph.node("Slice", [sums, to, end, last])]);
    if (labels === undefined) return addNumber(graph, value);
    return addClasses(graph, { scores: value, probabilities: value, labels });
  }

  toJson(): Json {
    const { labels, rows, cols, votes, neighbours, byDistance, stepShare } = this.model;
    return {
      kind: "neighbours",
      labels: labels === undefined ? null : labelsToJson(labels),
      rows: packArray(rows),
      cols,
      votes: packArray(votes),
      neighbours,
      byDistance,
      stepShare,
    };
  }

  static fromJson(json: Json): NeighbourModel {
    const saved = json as { [key: string]: Json };
    if (saved.kind !== "neighbours") throw new AimassError("DATA_LOSS", "The saved model is not nearest neighbours.");
    return new NeighbourModel({
      labels: saved.labels === null ? undefined : labelsFromJson(saved.labels),
      rows: unpackArray("Float32Array", saved.rows),
      cols: saved.cols as number,
      votes: unpackArray("Float64Array", saved.votes),
      neighbours: saved.neighbours as number,
      byDistance: saved.byDistance as boolean,
      stepShare: saved.stepShare as number,
    });
  }

  #findNearest(row: Float64Array, list: NearestList): void {
    const cols = this.cols;
    const rows = this.#centred;
    let own = 0;
    for (let j = 0; j < cols; j++) own += row[j]! * row[j]!;
    const far = Math.max(own * (this.#perStep * farShare), 1);
    list.clear();
    for (let r = 0; r < this.#count; r++) {
      let product = 0;
      for (let j = 0, i = r * cols; j < cols; j++, i++) product += row[j]! * rows[i]!;
      const distance = Math.floor(((own - 2 * product + this.#squares[r]!) * this.#perStep) / far + offHalf);
      if (distance < list.farthest) list.add(r, distance);
    }
  }
}

function squaredLengths(rows: Float64Array, cols: number): Float64Array {
  const squares = new Float64Array(rows.length / cols);
  for (let r = 0; r < squares.length; r++) {
    for (let i = r * cols; i < (r + 1) * cols; i++) squares[r]! += rows[i]! * rows[i]!;
  }
  return squares;
}

/** The lower median of every `step`-th value from `first` on; undefined where there is none. */
function median(values: Float32Array | Float64Array, first = 0, step = 1): number | undefined {
  const count = Math.ceil((values.length - first) / step);
  const sampled = Math.min(count, mostSampled);
  const sample = Float64Array.from(
    { length: sampled },
    (_, i) => values[first + Math.floor((i * count) / sampled) * step]!,
  );
  return sample.sort()[(sampled - 1) >> 1];
}
