import type { ClassTargets } from "../../targets.ts";

/** For a class without rows: so unlikely that its probability is 0, yet a number that can be calculated with. */
const impossible = -1e300;

/** Logarithm of each class's share of the weighted rows. */
export function logPriors({ indices, labels }: ClassTargets, weights: Float64Array | undefined): Float64Array {
  const sums = new Float64Array(labels.values.length);
  let total = 0;
  for (let r = 0; r < indices.length; r++) {
    const weight = weights?.[r] ?? 1;
    sums[indices[r]!]! += weight;
    total += weight;
  }
  return sums.map((sum) => (sum > 0 ? Math.log(sum / total) : impossible));
}
