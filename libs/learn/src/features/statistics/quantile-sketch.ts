const capacity = 2048;

/**
 * Quantiles of a stream in memory that grows with the logarithm of its length: a stack of compactors, each keeping every second value of the
 * full one below it, worth twice as much (after Karnin, Lang and Liberty, 2016, with alternating instead of random offsets). Exact up to 2048 values; beyond
 * that the rank is off by about 0.2 % at a million.
 */
export class QuantileSketch {
  count = 0;
  private readonly levels: number[][] = [[]];
  private readonly odd: boolean[] = [false];

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.count++;
    const lowest = this.levels[0] as number[];
    lowest.push(value);
    if (lowest.length > capacity) this.compact(0);
  }

  merge(other: QuantileSketch): void {
    this.count += other.count;
    other.levels.forEach((values, level) => {
      this.level(level).push(...values);
    });
    for (let level = 0; level < this.levels.length; level++) {
      if (this.level(level).length > capacity) this.compact(level);
    }
  }

  /** Values at the given shares (0 to 1) of the sorted stream, between two neighbours by a straight line; NaN without values. */
  quantiles(shares: readonly number[]): number[] {
    const entries = this.levels.flatMap((values, level) => values.map((value) => ({ value, weight: 2 ** level })));
    entries.sort((a, b) => a.value - b.value);
    const total = entries.reduce((sum, entry) => sum + entry.weight, 0);
    return shares.map((share) => valueAt(entries, share * (total - 1)));
  }

  quantile(share: number): number {
    return this.quantiles([share])[0] as number;
  }

  private level(index: number): number[] {
    while (this.levels.length <= index) {
      this.levels.push([]);
      this.odd.push(false);
    }
    return this.levels[index] as number[];
  }

  /** Moves every second of a level's values one level up. With an odd number the largest stays, so that no weight is lost. */
  private compact(index: number): void {
    const values = Float64Array.from(this.level(index)).sort();
    const rest = values.length % 2 === 1 ? [values.at(-1) as number] : [];
    const above = this.level(index + 1);
    for (let i = this.odd[index] ? 1 : 0; i < values.length - rest.length; i += 2) above.push(values[i] as number);
    this.odd[index] = !this.odd[index];
    this.levels[index] = rest;
    if (above.length > capacity) this.compact(index + 1);
  }
}

interface Entry {
  readonly value: number;
  readonly weight: number;
}

/** The value at a rank, where an entry of weight w stands for w equal values. */
function valueAt(entries: readonly Entry[], rank: number): number {
  const below = Math.floor(rank);
  let before = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    before += entry.weight;
    if (before <= below) continue;
    const next = before > below + 1 ? entry : (entries[i + 1] ?? entry);
    return entry.value + (rank - below) * (next.value - entry.value);
  }
  return Number.NaN;
}
