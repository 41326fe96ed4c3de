import type { DenseMatrix } from "../../matrix.ts";
import type { Block, BlockFit, BlockJson } from "../block.ts";
import { type Batch, numbersOf } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { NumberFeature } from "../plan.ts";
import type { ColumnNumbers } from "./column-numbers.ts";
import { type NumberScaling, NumberScalingFit } from "./number-scaling.ts";

/** All numbers of a plan: their scaled values, then the indicators of missing ones. */
export class NumberBlock implements Block {
  readonly density = 1;
  readonly tolerance = 0;
  readonly width: number;
  private readonly scalings: readonly NumberScaling[];
  private readonly indicated: readonly number[];

  constructor(scalings: readonly NumberScaling[]) {
    this.scalings = scalings;
    this.indicated = scalings.flatMap((scaling, index) => (scaling.indicator ? [index] : []));
    this.width = scalings.length + this.indicated.length;
  }

  static fit(specs: readonly NumberFeature[], numbers: ColumnNumbers): NumberBlockFit {
    return new NumberBlockFit(specs, numbers);
  }

  names(): string[] {
    const columns = this.scalings.map((scaling) => scaling.column);
    return [...columns, ...this.indicated.map((index) => `${columns[index]}=missing`)];
  }

  transform(batch: Batch): DenseMatrix {
    const { width, scalings } = this;
    const data = new Float32Array(batch.rows * width);
    let indicator = scalings.length;
    scalings.forEach(({ column, fill, centre, factor, indicator: indicated }, index) => {
      const values = numbersOf(batch, column);
      for (let row = 0; row < values.length; row++) {
        const value = values[row] as number;
        const filled = Number.isNaN(value) ? fill : value;
        data[row * width + index] = Math.fround(filled - centre) * factor;
        if (indicated && Number.isNaN(value)) data[row * width + indicator] = 1;
      }
      if (indicated) indicator++;
    });
    return { kind: "dense", rows: batch.rows, cols: width, data };
  }

  addToGraph(graph: FeatureGraph): string {
    const axis = graph.ints([1]);
    const x = graph.join(this.scalings.map(({ column }) => graph.node("Unsqueeze", [graph.valueOf(column), axis])));
    const missing = graph.node("Or", [graph.node("IsNaN", [x]), graph.node("IsInf", [x])]);
    const row = (pick: (scaling: NumberScaling) => number) =>
      graph.floats(this.scalings.map(pick), [1, this.scalings.length]);
    const filled = graph.node("Where", [missing, row((scaling) => scaling.fill), x]);
    const centred = graph.node("Sub", [filled, row((scaling) => scaling.centre)]);
    const scaled = graph.node("Mul", [centred, row((scaling) => scaling.factor)]);
    if (this.indicated.length === 0) return scaled;
    const flags = graph.node("Gather", [missing, graph.ints(this.indicated)], { axis: { int: 1 } });
    return graph.join([scaled, graph.cast(flags, "float")]);
  }

  toJson(): BlockJson {
    return { block: "numbers", scalings: this.scalings };
  }
}

class NumberBlockFit implements BlockFit {
  private readonly parts: readonly NumberScalingFit[];

  constructor(specs: readonly NumberFeature[], numbers: ColumnNumbers) {
    this.parts = specs.map((spec) => new NumberScalingFit(spec, numbers.of(spec.column)));
  }

  add(batch: Batch): void {
    for (const part of this.parts) part.add(batch);
  }

  merge(other: NumberBlockFit): void {
    this.parts.forEach((part, index) => {
      part.merge(other.parts[index] as NumberScalingFit);
    });
  }

  finish(): NumberBlock {
    return new NumberBlock(this.parts.map((part) => part.finish()));
  }
}
