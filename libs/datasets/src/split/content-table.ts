/** Where one content was seen: by part, its first row (undefined: not there) and in how many rows. */
export interface Sightings {
  readonly firstRows: readonly (number | undefined)[];
  readonly counts: readonly number[];
}

/**
 * Remembers 64-bit hashes with the first row and the number of rows of each part that have them, at 8 bytes a slot and 8 more for each part, at most two
 * thirds full. Rows beyond 2^32 are known by that number.
 */
export class ContentTable {
  readonly #parts: number;
  #slots = 1024;
  #high: Uint32Array;
  #low: Uint32Array;
  /** Row + 1; 0 for none. */
  #rows: Uint32Array;
  #counts: Uint32Array;
  #used = 0;

  constructor(parts: number) {
    this.#parts = parts;
    [this.#high, this.#low, this.#rows, this.#counts] = this.#arrays();
  }

  /** Rows come in the file's order. */
  add(high: number, low: number, { row, part }: { readonly row: number; readonly part: number }): void {
    if (this.#used * 3 > this.#slots * 2) this.#grow();
    const slot = this.#slot(high, low);
    if (!this.#isUsed(slot)) {
      this.#high[slot] = high;
      this.#low[slot] = low;
      this.#used++;
    }
    const at = slot * this.#parts + part;
    if (this.#rows[at] === 0) this.#rows[at] = Math.min(row + 1, 2 ** 32 - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  /** Contents that are in more than one part. */
  *spanning(): Generator<Sightings> {
    for (let slot = 0; slot < this.#slots; slot++) {
      const [from, to] = [slot * this.#parts, (slot + 1) * this.#parts];
      if (this.#rows.subarray(from, to).filter((row) => row > 0).length < 2) continue;
      yield {
        firstRows: Array.from(this.#rows.subarray(from, to), (row) => (row === 0 ? undefined : row - 1)),
        counts: Array.from(this.#counts.subarray(from, to)),
      };
    }
  }

  #arrays(): [Uint32Array, Uint32Array, Uint32Array, Uint32Array] {
    const [hashes, cells] = [this.#slots, this.#slots * this.#parts];
    return [new Uint32Array(hashes), new Uint32Array(hashes), new Uint32Array(cells), new Uint32Array(cells)];
  }

  #isUsed(slot: number): boolean {
    for (let at = slot * this.#parts; at < (slot + 1) * this.#parts; at++)
      if ((this.#counts[at] as number) > 0) return true;
    return false;
  }

  #slot(high: number, low: number): number {
    const mask = this.#slots - 1;
    let slot = low & mask;
    while (this.#isUsed(slot) && (this.#high[slot] !== high || this.#low[slot] !== low)) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [high, low, rows, counts] = [this.#high, this.#low, this.#rows, this.#counts];
    const [slots, parts] = [this.#slots, this.#parts];
    const isUsed = (slot: number) => counts.subarray(slot * parts, (slot + 1) * parts).some((count) => count > 0);
    this.#slots = slots * 2;
    [this.#high, this.#low, this.#rows, this.#counts] = this.#arrays();
    for (let from = 0; from < slots; from++) {
      if (!isUsed(from)) continue;
      const to = this.#slot(high[from] as number, low[from] as number);
      this.#high[to] = high[from] as number;
      this.#low[to] = low[from] as number;
      this.#rows.set(rows.subarray(from * parts, (from + 1) * parts), to * parts);
      this.#counts.set(counts.subarray(from * parts, (from + 1) * parts), to * parts);
    }
  }
}
