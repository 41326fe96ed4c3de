/**
 * How often each value occurs, for at most `capacity` values at a time: exact below that; above it the rarest are dropped and every count may be
 * too low by `error` (Misra and Gries, 1982). Two of them merge.
 */
export class FrequentValues<T extends string | number> {
  error = 0;
  private readonly counts = new Map<T, number>();
  private readonly capacity: number;

  constructor(capacity = 262_144) {
    this.capacity = capacity;
  }

  add(value: T, times = 1): void {
    this.counts.set(value, (this.counts.get(value) ?? 0) + times);
    if (this.counts.size > 2 * this.capacity) this.shrink();
  }

  merge(other: FrequentValues<T>): void {
    this.error += other.error;
    for (const [value, count] of other.counts) this.add(value, count);
  }

  get size(): number {
    return this.counts.size;
  }

  /** Values with their counts, the most frequent first, equal ones in their own order. */
  sorted(): [T, number][] {
    return [...this.counts].sort(([a, timesA], [b, timesB]) => timesB - timesA || (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Takes the count of the first value that no longer fits from all, and drops what reaches zero. */
  private shrink(): void {
    const descending = Float64Array.from(this.counts.values()).sort().reverse();
    const cut = descending[this.capacity] as number;
    this.error += cut;
    for (const [value, count] of this.counts) {
      if (count <= cut) this.counts.delete(value);
      else this.counts.set(value, count - cut);
    }
  }
}
