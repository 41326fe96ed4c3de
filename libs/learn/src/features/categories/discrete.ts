import type { BlockJson } from "../block.ts";
import type { Batch } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";

/** A column turned into whole numbers from 0 up to `size`, the same in training and in the graph. */
export interface Discrete {
  readonly size: number;
  /** A name for each number. */
  labels(): string[];
  ids(batch: Batch): Uint32Array;
  /** Name of an INT64 [N] value. */
  addToGraph(graph: FeatureGraph): string;
  toJson(): BlockJson;
}

/** Learns a Discrete in one pass. */
export interface DiscreteFit {
  add(batch: Batch): void;
  merge(other: this): void;
  finish(): Discrete;
}
