import type { BlockJson } from "../block.ts";
import { type Batch, numbersOf } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { BucketFeature } from "../plan.ts";
import type { NumberStatistics } from "../statistics/number-statistics.ts";
import type { Discrete, DiscreteFit } from "./discrete.ts";

interface State {
  readonly column: string;
  /** Ascending, FP32. */
  readonly edges: readonly number[];
}

/** Ranges of a number: id i has i edges at or below the value; the last id is missing. */
export class BucketIds implements Discrete {
  readonly size: number;
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
    this.size = state.edges.length + 2;
  }

  static fit(spec: BucketFeature, statistics: NumberStatistics): BucketIdsFit {
    return new BucketIdsFit(spec, statistics);
  }

  labels(): string[] {
    const { column, edges } = this.state;
    const ranges = [...edges, undefined].map((upper, index) => {
      const lower = edges[index - 1];
      if (lower === undefined) return upper === undefined ? "any" : `<${upper}`;
      return upper === undefined ? `>=${lower}` : `${lower}..${upper}`;
    });
    return [...ranges, "missing"].map((range) => `${column}=${range}`);
  }

  ids(batch: Batch): Uint32Array {
    const { column, edges } = this.state;
    return Uint32Array.from(numbersOf(batch, column), (value) =>
      Number.isNaN(value) ? edges.length + 1 : edgesUpTo(edges, value),
    );
  }

  addToGraph(graph: FeatureGraph): string {
    const { edges } = this.state;
    const value = graph.valueOf(this.state.column);
    const missing = graph.node("Or", [graph.node("IsNaN", [value]), graph.node("IsInf", [value])]);
    if (edges.length === 0) return graph.cast(missing, "int64");
    const axis = graph.ints([1]);
    const above = graph.node("GreaterOrEqual", [
      graph.node("Unsqueeze", [value, axis]),
      graph.floats(edges, [1, edges.length]),
    ]);
    const id = graph.node("ReduceSum", [graph.cast(above, "int64"), axis], { keepdims: { int: 0 } });
    return graph.node("Where", [missing, graph.ints([edges.length + 1]), id]);
  }

  toJson(): BlockJson {
    return { block: "buckets", state: this.state };
  }
}

/** Reads the edges off the column's statistics, which others keep. */
class BucketIdsFit implements DiscreteFit {
  private readonly spec: BucketFeature;
  private readonly statistics: NumberStatistics;

  constructor(spec: BucketFeature, statistics: NumberStatistics) {
    this.spec = spec;
    this.statistics = statistics;
  }

  add(): void {}

  merge(): void {}

  finish(): BucketIds {
    const { column, buckets = 10, edges } = this.spec;
    const shares = Array.from({ length: buckets - 1 }, (_, i) => (i + 1) / buckets);
    const found = edges ?? this.statistics.sketch.quantiles(shares);
    const distinct = new Set(found.map(Math.fround).filter(Number.isFinite));
    return new BucketIds({ column, edges: [...distinct].sort((a, b) => a - b) });
  }
}

/** How many of the ascending edges are at or below the value. */
function edgesUpTo(edges: readonly number[], value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
