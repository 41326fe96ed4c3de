import type { Matrix } from "../matrix.ts";
import type { Batch } from "./columns.ts";
import type { FeatureGraph } from "./feature-graph.ts";

/** Some neighbouring features, fitted: the same numbers from a batch in training and from the inputs of a graph in serving. */
export interface Block {
  readonly width: number;
  /** Share of elements that are usually not zero. */
  readonly density: number;
  /** How far a value in serving may be from the one in training, since FP32 sums differ in their last bits; 0: not at all. */
  readonly tolerance: number;
  names(): string[];
  /** `batch.rows` × `width`. Throws INVALID_ARGUMENT with column and row for data that do not fit. */
  transform(batch: Batch): Matrix;
  /** Of a column of categories: rows of a batch whose category was not learnt. */
  strangers?(batch: Batch): { readonly column: string; readonly rows: number } | undefined;
  /** Adds the same computation to a graph; returns the name of an FP32 [N, width] value. */
  addToGraph(graph: FeatureGraph): string;
  /** Plain data that `blockFromJson` turns back into the block. */
  toJson(): BlockJson;
}

/** A block as plain JSON: `block` says which kind. */
export type BlockJson = { readonly block: string } & Readonly<Record<string, unknown>>;

/** Learns a block from one pass over the data, in parts that merge. */
export interface BlockFit {
  add(batch: Batch): void;
  /** Adds what another fit of the same specification has seen. */
  merge(other: this): void;
  finish(): Block;
}
