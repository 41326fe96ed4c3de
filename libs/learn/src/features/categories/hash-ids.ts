import type { BlockJson } from "../block.ts";
import { type Batch, stringsOf } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { HashFeature } from "../plan.ts";
import type { Discrete, DiscreteFit } from "./discrete.ts";
import { murmur3 } from "./murmur3.ts";

interface State {
  readonly column: string;
  readonly bins: number;
  readonly seed: number;
}

/** Strings by hash into bins; a bin of its own, the last, for missing. There is nothing to learn. */
export class HashIds implements Discrete {
  readonly size: number;
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
    this.size = state.bins + 1;
  }

  static fit({ column, bins = 256, seed = 0 }: HashFeature): DiscreteFit {
    return { add: () => {}, merge: () => {}, finish: () => new HashIds({ column, bins, seed: seed >>> 0 }) };
  }

  labels(): string[] {
    const { column, bins } = this.state;
    return [...Array.from({ length: bins }, (_, bin) => `${column}#${bin}`), `${column}=missing`];
  }

  ids(batch: Batch): Uint32Array {
    const { column, bins, seed } = this.state;
    const seen = new Map<string, number>([["", bins]]);
    return Uint32Array.from(stringsOf(batch, column), (text) => {
      const known = seen.get(text);
      if (known !== undefined) return known;
      const bin = murmur3(text, seed) % bins;
      seen.set(text, bin);
      return bin;
    });
  }

  addToGraph(graph: FeatureGraph): string {
    const { bins, seed } = this.state;
    const value = graph.valueOf(this.state.column);
    const hash = graph.node("MurmurHash3", [value], { seed: { int: seed }, positive: { int: 1 } });
    const bin = graph.node("Mod", [graph.cast(hash, "int64"), graph.ints([bins])]);
    const missing = graph.node("Equal", [value, graph.strings([""])]);
    return graph.node("Where", [missing, graph.ints([bins]), bin]);
  }

  toJson(): BlockJson {
    return { block: "hash", state: this.state };
  }
}
