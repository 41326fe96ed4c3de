import { hashNumber } from "../hash.ts";

/** A power of two. */
const firstSlots = 64;

/** Counts of numbers, in memory that grows with them; much faster than a Map, whose keys would be objects on the heap. */
export class NumberTable {
  size = 0;
  #keys = new Float64Array(firstSlots);
  #counts = new Float64Array(firstSlots);

  /** Adds to the count of a number that is known; false when it is not. */
  increase(value: number, times: number): boolean {
    const slot = this.#slot(value);
    if (this.#counts[slot] === 0) return false;
    this.#counts[slot] = (this.#counts[slot] as number) + times;
    return true;
  }

  /** Takes in a number that is not known. */
  insert(value: number, times: number): void {
    if (2 * (this.size + 1) > this.#keys.length) this.#grow();
    const slot = this.#slot(value);
    this.#keys[slot] = value;
    this.#counts[slot] = times;
    this.size++;
  }

  /** How many numbers were counted more than once. */
  severalTimes(): number {
    let several = 0;
    for (const count of this.#counts) if (count > 1) several++;
    return several;
  }

  /** Takes `less` from every count and forgets those that come to nothing. */
  reduce(less: number): void {
    const kept = this.entries(less);
    this.#counts.fill(0);
    this.size = 0;
    for (const [value, count] of kept) this.insert(value, count - less);
  }

  /** Numbers counted more often than `above`. */
  entries(above = 0): [number, number][] {
    const entries: [number, number][] = [];
    for (let slot = 0; slot < this.#keys.length; slot++) {
      const count = this.#counts[slot] as number;
      if (count > above) entries.push([this.#keys[slot] as number, count]);
    }
    return entries;
  }

  #grow(): void {
    const slots = 2 * this.#keys.length;
    const entries = this.entries();
    this.#keys = new Float64Array(slots);
    this.#counts = new Float64Array(slots);
    this.size = 0;
    for (const [value, count] of entries) this.insert(value, count);
  }

  /** Where the number is, or where it would go. */
  #slot(value: number): number {
    const mask = this.#keys.length - 1;
    let slot = hashNumber(value, 5) & mask;
    while ((this.#counts[slot] as number) > 0 && this.#keys[slot] !== value) slot = (slot + 1) & mask;
    return slot;
  }
}
