/** Remembers at most `limit` values until their time is over; the one not used for longest goes first. */
export class BoundedCache<V> {
  readonly #limit: number;
  readonly #entries = new Map<string, { value: V; fromMs: number; untilMs: number }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value under a key; undefined when there is none, or `nowMs` is past its end or, on a clock that was set back, before its beginning. */
  get(key: string, nowMs: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs < nowMs || nowMs < entry.fromMs) {
      this.#entries.delete(key);
      return undefined;
    }
    // While nothing has to go soon, the order of use does not matter.
    if (this.#entries.size * 2 > this.#limit) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry.value;
  }

  /** Keeps a value from `fromMs` up to and including `untilMs`. */
  set(key: string, value: V, { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number }): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, fromMs, untilMs });
    if (this.#entries.size <= this.#limit) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}
