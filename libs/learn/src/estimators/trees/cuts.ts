/** Cuts half-way between neighbouring values: all of them when there are at most `most` + 1 different ones, else at quantiles. `sorted` has no NaN. */
export function chooseCuts(sorted: Float32Array, most: number): Float32Array {
  const different = cutsBetweenAll(sorted, most);
  return different ?? cutsAtQuantiles(sorted, most);
}

/** A number of FP32 that is ≥ low and < high, half-way where possible. */
export function between(low: number, high: number): number {
  const middle = Math.fround(low + (high - low) / 2);
  return middle >= low && middle < high ? middle : low;
}

function cutsBetweenAll(sorted: Float32Array, most: number): Float32Array | undefined {
  const cuts = new Float32Array(Math.min(most, sorted.length));
  let count = 0;
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i] === sorted[i - 1]) continue;
    if (count === most) return undefined;
    cuts[count++] = between(sorted[i - 1]!, sorted[i]!);
  }
  return cuts.slice(0, count);
}

function cutsAtQuantiles(sorted: Float32Array, most: number): Float32Array {
  const n = sorted.length;
  const cuts = new Float32Array(most);
  let count = 0;
  for (let k = 1; k <= most; k++) {
    let i = Math.floor((k * n) / (most + 1));
    // A run of equal values is cut at its end, so that a frequent value has a bin of its own.
    while (i < n && sorted[i] === sorted[i - 1]) i++;
    if (i >= n) break;
    const cut = between(sorted[i - 1]!, sorted[i]!);
    if (count === 0 || cut > cuts[count - 1]!) cuts[count++] = cut;
  }
  return cuts.slice(0, count);
}
