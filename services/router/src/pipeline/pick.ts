/**
 * Power of two choices (Mitzenmacher, 2001): of two members drawn at random, the one with the lower cost. Undefined when there is none. `random` gives
 * numbers in [0, 1).
 */
export function pickOfTwo<T>(
  members: readonly T[],
  costOf: (member: T) => number,
  random: () => number,
): T | undefined {
  if (members.length <= 1) return members[0];
  const first = Math.floor(random() * members.length);
  let second = Math.floor(random() * (members.length - 1));
  if (second >= first) second += 1;
  const a = members[first] as T;
  const b = members[second] as T;
  return costOf(a) <= costOf(b) ? a : b;
}
