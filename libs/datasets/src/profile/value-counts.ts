import { hashNumber, hashText, mix } from "../hash.ts";
import { NumberTable } from "./number-table.ts";

/** How many different values are counted one by one. */
const exactValues = 1024;
const keptValues = exactValues / 2;
const registerBits = 12;
const registers = 1 << registerBits;

/** Texts longer than this are known by their beginning and a 64-bit hash, so that a table of documents does not stay in memory. */
const longestKept = 128;
const beginning = 100;
const digestMark = "…\0";

/** A value and how often it was seen. */
export interface FrequentValue {
  /** Of a text of more than 128 characters the first 100 and "…". */
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
  readonly #texts = new Map<string, number>();
  readonly #numbers = new NumberTable();
  #sketch: Uint8Array | undefined;

  /** `from`: counts to go on from. */
  constructor(from?: ValueCounts) {
    if (from === undefined) return;
    for (const [text, count] of from.#texts) this.#texts.set(text, count);
    for (const [value, count] of from.#numbers.entries()) this.#numbers.insert(value, count);
    this.#sketch = from.#sketch?.slice();
    this.undercount = from.undercount;
  }

  addText(text: string, times = 1): void {
    const value = text.length > longestKept ? digested(text) : text;
    const count = this.#texts.get(value);
    if (count === undefined) this.#makeRoom(value);
    this.#texts.set(value, (count ?? 0) + times);
  }

  addNumber(value: number): void {
    if (this.#numbers.increase(value, 1)) return;
    this.#makeRoom(value);
    this.#numbers.insert(value, 1);
  }

  /** Above `exactValues` the estimate still counts them. */
  forgetTexts(): void {
    this.#texts.clear();
  }

  get exact(): boolean {
    return this.#sketch === undefined;
  }

  get distinct(): number {
    return this.#sketch === undefined ? this.#size : estimate(this.#sketch);
  }

  /** The most frequent values, most frequent first; equal ones in order of their text. */
  top(limit: number): FrequentValue[] {
    return this.#entries()
      .map(([value, count]) => ({ value: undigested(String(value)), count }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, limit);
  }

  get #size(): number {
    return this.#texts.size + this.#numbers.size;
  }

  /** For a value that is new, or was forgotten. */
  #makeRoom(value: string | number): void {
    if (this.#sketch !== undefined) this.#note(value);
    if (this.#size >= exactValues) this.#prune(value);
  }

  /** Takes away from all counts so much that at most half of the values are kept. */
  #prune(next: string | number): void {
    if (this.#sketch === undefined) {
      this.#sketch = new Uint8Array(registers);
      for (const [value] of this.#entries()) this.#note(value);
      this.#note(next);
    }
    const less = this.#reduction();
    this.undercount += less;
    this.#numbers.reduce(less);
    for (const [text, count] of this.#texts) {
      if (count <= less) this.#texts.delete(text);
      else this.#texts.set(text, count - less);
    }
  }

  /** The count that at most half of the values exceed; mostly 1, where different values abound. */
  #reduction(): number {
    let several = this.#numbers.severalTimes();
    for (const count of this.#texts.values()) if (count > 1) several++;
    if (several <= keptValues) return 1;
    const counts = Float64Array.from(this.#entries(), ([, count]) => count).sort();
    return counts[counts.length - 1 - keptValues] as number;
  }

  #entries(): [string | number, number][] {
    return [...this.#texts, ...this.#numbers.entries()];
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

/** Copied, because a part of a string keeps the whole alive. */
function digested(text: string): string {
  const start = Buffer.from(text.slice(0, beginning).toWellFormed(), "utf16le").toString("utf16le");
  return `${start}${digestMark}${hashText(text, 3).toString(16)}-${hashText(text, 4).toString(16)}`;
}

function undigested(value: string): string {
  return value.startsWith(digestMark, beginning) ? value.slice(0, beginning + 1) : value;
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
