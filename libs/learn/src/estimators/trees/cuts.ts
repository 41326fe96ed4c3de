/** Where a cut between two values is when they may be a little off in serving. Not half-way: between two whole numbers that is often a third one. */
const offCentre = Math.SQRT2 - 1;

/**
 * Cuts between neighbouring values: all of them when there are at most `most` + 1 different ones, else at quantiles. `sorted` has no NaN. Half-way; where
 * values may be off by `tolerance` in serving, values nearer than four times that are one value, and no cut is as near to a value as the tolerance.
 */
export function chooseCuts(sorted: Float32Array, most: number, tolerance = 0): Float32Array {
  const differ = (low: number, high: number) => high - low > 4 * tolerance;
  const cut = (low: number, high: number) => between(low, high, tolerance > 0 ? offCentre : 0.5);
  return cutsBetweenAll(sorted, most, differ, cut) ?? cutsAtQuantiles(sorted, most, differ, cut);
}

/** A number of FP32 that is ≥ low and < high, at `share` of the way where possible. */
export function between(low: number, high: number, share = 0.5): number {
  const middle = Math.fround(low + (high - low) * share);
  return middle >= low && middle < high ? middle : low;
}

type Differ = (low: number, high: number) => boolean;
type Cut = (low: number, high: number) => number;

function cutsBetweenAll(sorted: Float32Array, most: number, differ: Differ, cut: Cut): Float32Array | undefined {
  const cuts = new Float32Array(Math.min(most, sorted.length));
  let count = 0;
  for (let i = 1; i < sorted.length; i++) {
    if (!differ(sorted[i - 1]!, sorted[i]!)) continue;
    if (count === most) return undefined;
    cuts[count++] = cut(sorted[i - 1]!, sorted[i]!);
  }
  return cuts.slice(0, count);
}

function cutsAtQuantiles(sorted: Float32Array, most: number, differ: Differ, cutBetween: Cut): Float32Array {
  const n = sorted.length;
  const cuts = new Float32Array(most);
  let count = 0;
  for (let k = 1; k <= most; k++) {
    let i = Math.floor((k * n) / (most + 1));
    // A run of equal values is cut at its end, so that a frequent value has a bin of its own.
    while (i < n && i > 0 && !differ(sorted[i - 1]!, sorted[i]!)) i++;
    if (i >= n) break;
    const cut = cutBetween(sorted[i - 1]!, sorted[i]!);
    if (count === 0 || cut > cuts[count - 1]!) cuts[count++] = cut;
  }
  return cuts.slice(0, count);
}
