/** The chance that a positive row scores above a negative one, ties counting half (Mann–Whitney). Undefined when there are none of either. */
export function rocArea(negatives: ArrayLike<number>, positives: ArrayLike<number>): number | undefined {
  if (negatives.length === 0 || positives.length === 0) return undefined;
  const below = Float64Array.from(negatives).sort();
  const above = Float64Array.from(positives).sort();
  let wins = 0;
  let less = 0;
  let upTo = 0;
  for (const score of above) {
    while (less < below.length && (below[less] as number) < score) less++;
    while (upTo < below.length && (below[upTo] as number) <= score) upTo++;
    wins += less + (upTo - less) / 2;
  }
  return wins / (below.length * above.length);
}
