import { hashNumber, hashText, mix } from "../hash.ts";

/** How many different values are counted one by one. */
export const exactValues = 4096;
const keptValues = exactValues / 2;
const registerBits = 12;
const registers = 1 << registerBits;

/** A value and how often it was seen. */
export interface FrequentValue {
  readonly value: string;
  /** At least this often. Exact when the counts' `undercount` is 0. */
  readonly count: number;
}

/**
 * How many different values there are and which are most frequent, in bounded memory. Exact up to `exactValues` different values. Above,
 * the number is an estimate with a standard error of 1.6 % (HyperLogLog, Flajolet et al. 2007), and counts of frequent values may be too low
 * by at most `undercount` (J. Misra and D. Gries, "Finding repeated elements", 1982).
 */
export class ValueCounts {
  /** How much too low any count may be. */
  undercount = 0;
  readonly #counts = new Map<string | number, number>();
  #sketch: Uint8Array | undefined;

  add(value: string | number, times = 1): void {
    const count = this.#counts.get(value);
    if (count !== undefined) {
      this.#counts.set(value, count + times);
      return;
    }
    if (this.#sketch !== undefined) this.#note(value);
    if (this.#counts.size >= exactValues) this.#prune();
    this.#counts.set(value, times);
  }

  get exact(): boolean {
    return this.#sketch === undefined;
  }

  get distinct(): number {
    return this.#sketch === undefined ? this.#counts.size : estimate(this.#sketch);
  }

  /** The most frequent values, most frequent first; equal ones in order of their text. */
  top(limit: number): FrequentValue[] {
    return [...this.#counts]
      .map(([value, count]) => ({ value: String(value), count }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, limit);
  }

  /** Takes away from all counts so much that at most half of the values are kept. */
  #prune(): void {
    if (this.#sketch === undefined) {
      this.#sketch = new Uint8Array(registers);
      for (const value of this.#counts.keys()) this.#note(value);
    }
    const counts = [...this.#counts.values()].sort((a, b) => b - a);
    const less = counts[keptValues] as number;
    this.undercount += less;
    for (const [value, count] of this.#counts) {
      if (count <= less) this.#counts.delete(value);
      else this.#counts.set(value, count - less);
    }
  }

  #note(value: string | number): void {
    const hash = typeof value === "number" ? hashNumber(value, 1) : hashText(value, 1);
    const rank =
      Math.clz32(mix(hash ^ 0x5bd1e995 ^ (typeof value === "number" ? hashNumber(value, 2) : hashText(value, 2)))) + 1;
    const register = hash >>> (32 - registerBits);
    const sketch = this.#sketch as Uint8Array;
    if (rank > (sketch[register] as number)) sketch[register] = rank;
  }
}

function estimate(sketch: Uint8Array): number {
  let sum = 0;
  let empty = 0;
  for (const rank of sketch) {
    sum += 2 ** -rank;
    if (rank === 0) empty++;
  }
  const raw = ((0.7213 / (1 + 1.079 / registers)) * registers * registers) / sum;
  const small = raw <= 2.5 * registers && empty > 0;
  return Math.round(small ? registers * Math.log(registers / empty) : raw);
}
