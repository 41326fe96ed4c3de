import { missingWord } from "./binned-matrix.ts";

/** What is predicted: a number a row, or one of `classes`. Two classes are the numbers 0 and 1: halving their variance is halving Gini's impurity. */
export type ForestTargets =
  | { readonly kind: "numbers"; readonly values: Float64Array }
  | { readonly kind: "classes"; readonly indices: Int32Array; readonly classes: number };

/** The best place to part a node so far. */
export interface FoundSplit {
  /** Σ (sum of a side)² / (weight of the side), summed over classes. */
  score: number;
  /** Rows with ranks up to this go left. */
  rank: number;
  missingLeft: boolean;
}

/** A feature of the node's rows, in ascending order: `rank * 2^16 + place of the row in the node`. */
export interface SortedFeature {
  readonly kind: "sorted";
  readonly keys: Uint32Array;
  readonly rows: number;
  /** How many rows have a value; those without are last. */
  readonly present: number;
}

/** A feature of the node's rows, in their order, to be counted in ranges of 2^shift ranks from `low` on; rows without a value go to the last range. */
export interface CountedFeature {
  readonly kind: "counted";
  readonly ranks: Uint16Array;
  readonly rows: number;
  readonly present: number;
  readonly low: number;
  readonly shift: number;
  /** Ranges that may have values; one more is for missing ones. */
  readonly ranges: number;
}

/** Ranges a feature may be counted in at most. */
export const mostRanges = 2 ** 12;

/** Rows of a node with what is to be predicted, and the sums that splits are judged by. */
export interface ForestNode {
  /** Numbers a leaf has. */
  readonly outputs: number;
  /** Takes order[from..to) as its rows; true when all have the same target. */
  read(order: Int32Array, from: number, to: number, weights: Float64Array): boolean;
  /** A number of the leaf: the mean, or the share of a class. */
  value(output: number): number;
  /** The score of the node in one piece. */
  score(): number;
  /** Whether a split of the feature scores higher than `best`, which it then becomes. Sides have at least `minRows` rows. */
  scan(feature: SortedFeature | CountedFeature, minRows: number, best: FoundSplit): boolean;
}

/** The range of a rank. */
export function rangeOf(rank: number, { low, shift, ranges }: CountedFeature): number {
  return rank === missingWord ? ranges : (rank - low) >> shift;
}
