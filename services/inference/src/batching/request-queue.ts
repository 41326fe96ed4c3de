/** What the queue needs to know of a waiting request. */
export interface Waiting {
  /** Requests with the same key may share a run; undefined runs alone. */
  readonly batchKey: string | undefined;
  /** Rows it brings to the batch axis. */
  readonly samples: number;
  /** Monotonic milliseconds; Infinity for none. */
  readonly deadline: number;
  /** Lower goes first. */
  readonly priority: number;
}

/** Requests of one model version that wait for a run, by priority and then in order of arrival, never more than `limit`. */
export class RequestQueue<T extends Waiting> {
  readonly limit: number;
  #items: T[] = [];
  #head = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds a request; false when the queue is full. */
  push(item: T): boolean {
    if (this.length >= this.limit) return false;
    let at = this.#items.length;
    while (at > this.#head && (this.#items[at - 1] as T).priority > item.priority) at -= 1;
    if (at === this.#items.length) this.#items.push(item);
    else this.#items.splice(at, 0, item);
    return true;
  }

  /** Puts requests that were taken in front again, limit or not, in the order of their priority. */
  putBack(items: readonly T[]): void {
    const all = [...items, ...this.#items.slice(this.#head)];
    this.#items = all.sort((a, b) => a.priority - b.priority);
    this.#head = 0;
  }

  /** The request that goes next. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Rows that would fit the next batch, were it taken now; counts no further than `maxSamples`. */
  readySamples(maxSamples: number): number {
    const key = this.peek()?.batchKey;
    let samples = 0;
    for (let i = this.#head; i < this.#items.length && samples < maxSamples; i += 1) {
      const item = this.#items[i] as T;
      if (item.batchKey === key) samples += item.samples;
    }
    return samples;
  }

  /**
   * Takes the next batch: the request that goes next and, in order, those after it that may share its run, up to `maxSamples` rows in all. A request that alone has
   * more rows is a batch of its own. Those whose deadline has passed are handed to `onExpired` instead.
   */
  takeBatch(maxSamples: number, now: number, onExpired: (item: T) => void): T[] {
    const batch: T[] = [];
    const kept: T[] = [];
    let samples = 0;
    let next = this.#head;
    for (; next < this.#items.length; next += 1) {
      const item = this.#items[next] as T;
      if (item.deadline <= now) {
        onExpired(item);
      } else if (batch.length === 0) {
        batch.push(item);
        samples = item.samples;
        if (item.batchKey === undefined || samples >= maxSamples) break;
      } else if (item.batchKey === batch[0]?.batchKey && samples + item.samples <= maxSamples) {
        batch.push(item);
        samples += item.samples;
        if (samples >= maxSamples) break;
      } else {
        kept.push(item);
      }
    }
    this.#dropThrough(next, kept);
    return batch;
  }

  /** Removes and returns every request that `matches`. */
  remove(matches: (item: T) => boolean): T[] {
    const removed: T[] = [];
    const kept: T[] = [];
    for (let i = this.#head; i < this.#items.length; i += 1) {
      const item = this.#items[i] as T;
      (matches(item) ? removed : kept).push(item);
    }
    if (removed.length > 0) {
      this.#items = kept;
      this.#head = 0;
    }
    return removed;
  }

  /** Forgets the items up to and including index `last`, but puts `kept` back in front. */
  #dropThrough(last: number, kept: T[]): void {
    const rest = Math.min(last + 1, this.#items.length);
    if (kept.length === 0) {
      this.#head = rest;
      if (this.#head === this.#items.length) {
        this.#items = [];
        this.#head = 0;
      } else if (this.#head > 512) {
        this.#items = this.#items.slice(this.#head);
        this.#head = 0;
      }
      return;
    }
    this.#items = [...kept, ...this.#items.slice(rest)];
    this.#head = 0;
  }
}
