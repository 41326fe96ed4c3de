import { missingBin } from "./binned-matrix.ts";

/** A place to part a range of rows. */
export interface RowSplit {
  readonly bins: Uint8Array;
  /** Where the feature's bins start. */
  readonly base: number;
  readonly bin: number;
  readonly missingLeft: boolean;
}

/** Moves rows whose bin is ≤ the split's to the front of order[from..to), both sides in their old order. Returns where the right side starts. */
export function partition(order: Int32Array, from: number, to: number, split: RowSplit, spare: Int32Array): number {
  const { bins, base, bin } = split;
  let left = from;
  let right = 0;
  // A missing cell's bin is above all others: it only has to be looked for when it goes left.
  if (split.missingLeft) {
    for (let i = from; i < to; i++) {
      const r = order[i]!;
      const b = bins[base + r]!;
      if (b <= bin || b === missingBin) order[left++] = r;
      else spare[right++] = r;
    }
  } else {
    for (let i = from; i < to; i++) {
      const r = order[i]!;
      if (bins[base + r]! <= bin) order[left++] = r;
      else spare[right++] = r;
    }
  }
  for (let i = 0; i < right; i++) order[left + i] = spare[i]!;
  return left;
}
