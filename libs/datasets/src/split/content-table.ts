/** Where a content was seen first, and in which parts. */
export interface Sighting {
  readonly row: number;
  readonly part: number;
}

/** Remembers 64-bit hashes with the row and part they were first seen in, at 17 bytes a slot and at most two thirds full. */
export class ContentTable {
  #high = new Uint32Array(1024);
  #low = new Uint32Array(1024);
  #rows = new Float64Array(1024).fill(-1);
  #parts = new Uint8Array(1024);
  #used = 0;

  /** Who had this hash first; undefined when it is new, and then kept. */
  firstOf(high: number, low: number, sighting: Sighting): Sighting | undefined {
    if (this.#used * 3 > this.#rows.length * 2) this.#grow();
    const slot = this.#slot(high, low);
    const row = this.#rows[slot] as number;
    if (row >= 0) return { row, part: this.#parts[slot] as number };
    this.#set(slot, high, low, sighting);
    this.#used++;
    return undefined;
  }

  #slot(high: number, low: number): number {
    const mask = this.#rows.length - 1;
    let slot = low & mask;
    while ((this.#rows[slot] as number) >= 0 && (this.#high[slot] !== high || this.#low[slot] !== low))
      slot = (slot + 1) & mask;
    return slot;
  }

  #set(slot: number, high: number, low: number, { row, part }: Sighting): void {
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#rows[slot] = row;
    this.#parts[slot] = part;
  }

  #grow(): void {
    const [high, low, rows, parts] = [this.#high, this.#low, this.#rows, this.#parts];
    const size = rows.length * 2;
    this.#high = new Uint32Array(size);
    this.#low = new Uint32Array(size);
    this.#rows = new Float64Array(size).fill(-1);
    this.#parts = new Uint8Array(size);
    for (let slot = 0; slot < rows.length; slot++) {
      const row = rows[slot] as number;
      if (row < 0) continue;
      const [a, b] = [high[slot] as number, low[slot] as number];
      this.#set(this.#slot(a, b), a, b, { row, part: parts[slot] as number });
    }
  }
}
