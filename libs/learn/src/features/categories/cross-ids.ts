import type { BlockJson } from "../block.ts";
import type { Batch } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { Discrete, DiscreteFit } from "./discrete.ts";

/** Spreads pairs over bins where there are too many; below 2³², so that products with ids stay exact in FP64. */
const multiplier = 40_503;

/** Pairs of two discrete columns: `first * second.size + second`, or that by hash where it would be too many. */
export class CrossIds implements Discrete {
  readonly size: number;
  private readonly first: Discrete;
  private readonly second: Discrete;
  private readonly hashed: boolean;
  private readonly limit: number;

  constructor(first: Discrete, second: Discrete, limit: number) {
    this.first = first;
    this.second = second;
    this.limit = limit;
    this.hashed = first.size * second.size > limit;
    this.size = Math.min(first.size * second.size, limit);
  }

  static fit(first: DiscreteFit, second: DiscreteFit, limit = 1024): CrossIdsFit {
    return new CrossIdsFit(first, second, limit);
  }

  labels(): string[] {
    const [first, second] = [this.first.labels(), this.second.labels()];
    if (!this.hashed) return first.flatMap((one) => second.map((two) => `${one}&${two}`));
    const [one, two] = [first[0]?.split("=")[0], second[0]?.split("=")[0]];
    return Array.from({ length: this.size }, (_, bin) => `${one}&${two}#${bin}`);
  }

  ids(batch: Batch): Uint32Array {
    const second = this.second.ids(batch);
    const factor = this.hashed ? multiplier : this.second.size;
    return this.first.ids(batch).map((one, row) => (one * factor + (second[row] as number)) % this.size);
  }

  addToGraph(graph: FeatureGraph): string {
    const factor = graph.ints([this.hashed ? multiplier : this.second.size]);
    const scaled = graph.node("Mul", [this.first.addToGraph(graph), factor]);
    const pair = graph.node("Add", [scaled, this.second.addToGraph(graph)]);
    return this.hashed ? graph.node("Mod", [pair, graph.ints([this.size])]) : pair;
  }

  toJson(): BlockJson {
    return { block: "cross", first: this.first.toJson(), second: this.second.toJson(), limit: this.limit };
  }
}

class CrossIdsFit implements DiscreteFit {
  private readonly first: DiscreteFit;
  private readonly second: DiscreteFit;
  private readonly limit: number;

  constructor(first: DiscreteFit, second: DiscreteFit, limit: number) {
    this.first = first;
    this.second = second;
    this.limit = limit;
  }

  add(batch: Batch): void {
    this.first.add(batch);
    this.second.add(batch);
  }

  merge(other: CrossIdsFit): void {
    this.first.merge(other.first);
    this.second.merge(other.second);
  }

  finish(): CrossIds {
    return new CrossIds(this.first.finish(), this.second.finish(), this.limit);
  }
}
