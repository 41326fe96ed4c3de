/** For a class without rows: so unlikely that its probability is 0, yet a number that can be calculated with. */
const impossible = -1e300;

/** Logarithm of each class's share of the weighted rows, of which `sums` has those of each class. */
export function logPriors(sums: Float64Array): Float64Array {
  const total = sums.reduce((all, sum) => all + sum, 0);
  return sums.map((sum) => (sum > 0 ? Math.log(sum / total) : impossible));
}
