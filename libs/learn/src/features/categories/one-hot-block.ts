import type { SparseMatrix } from "../../matrix.ts";
import type { Block, BlockFit, BlockJson } from "../block.ts";
import type { Batch } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import { CategoryIds } from "./category-ids.ts";
import type { Discrete, DiscreteFit } from "./discrete.ts";

/** One feature for each id of a discrete column, 1 where the row has it. Ids from `width` on have no feature: their rows are all zero. */
export class OneHotBlock implements Block {
  readonly width: number;
  private readonly discrete: Discrete;

  constructor(discrete: Discrete) {
    this.discrete = discrete;
    this.width = discrete.size - (discrete instanceof CategoryIds ? discrete.featureless : 0);
  }

  static fit(discrete: DiscreteFit): OneHotBlockFit {
    return new OneHotBlockFit(discrete);
  }

  readonly tolerance = 0;
  get density(): number {
    return 1 / Math.max(this.width, 1);
  }

  strangers(batch: Batch): { readonly column: string; readonly rows: number } | undefined {
    return this.discrete instanceof CategoryIds ? this.discrete.strangers(batch) : undefined;
  }

  names(): string[] {
    return this.discrete.labels().slice(0, this.width);
  }

  transform(batch: Batch): SparseMatrix {
    const ids = this.discrete.ids(batch);
    const offsets = new Uint32Array(batch.rows + 1);
    const columns = new Uint32Array(batch.rows);
    let count = 0;
    for (let row = 0; row < ids.length; row++) {
      const id = ids[row] as number;
      if (id < this.width) columns[count++] = id;
      offsets[row + 1] = count;
    }
    const values = new Float32Array(count).fill(1);
    return { kind: "sparse", rows: batch.rows, cols: this.width, offsets, columns: columns.slice(0, count), values };
  }

  /** OneHot counts ids outside of its depth as none, which is what an id without a feature needs. */
  addToGraph(graph: FeatureGraph): string {
    const depth = graph.ints([this.width]);
    return graph.node("OneHot", [this.discrete.addToGraph(graph), depth, graph.floats([0, 1])], { axis: { int: -1 } });
  }

  toJson(): BlockJson {
    return { block: "oneHot", of: this.discrete.toJson() };
  }
}

class OneHotBlockFit implements BlockFit {
  private readonly discrete: DiscreteFit;

  constructor(discrete: DiscreteFit) {
    this.discrete = discrete;
  }

  add(batch: Batch): void {
    this.discrete.add(batch);
  }

  merge(other: OneHotBlockFit): void {
    this.discrete.merge(other.discrete);
  }

  finish(): OneHotBlock {
    return new OneHotBlock(this.discrete.finish());
  }
}
