import type { Part } from "@aimass/datasets";

/** Rows of a dataset that belong together: a part of the split, or one side of a fold of the training part. */
export type RowSelection =
  | { readonly part: Part }
  /** `held`: the rows that fold `fold` (from 0) leaves out, else those it trains on. */
  | { readonly fold: number; readonly of: Folds; readonly held: boolean }
  /** 1 for each row of the file that belongs. */
  | { readonly mask: Uint8Array };

/** Cuts of the training part for cross-validation. Plain JSON: the rows of each are in a file of the job's folder. */
export interface Folds {
  readonly count: number;
  /** One byte a row of the dataset: its slice, or 255. */
  readonly path: string;
  /** By time fold i is trained on slices 0…i and held slice i + 1, so that nothing is told from its future. */
  readonly byTime: boolean;
}

/** Slices of the folds that make up a selection. */
export function slicesOf({ fold, of, held }: Extract<RowSelection, { fold: number }>): (slice: number) => boolean {
  if (of.byTime) return held ? (slice) => slice === fold + 1 : (slice) => slice <= fold;
  return held ? (slice) => slice === fold : (slice) => slice !== fold;
}
