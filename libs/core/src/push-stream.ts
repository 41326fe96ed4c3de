/**
 * An async iterable fed by `push`: the seam between callbacks and streaming RPCs. Holds at most `limit` items; when a slow reader lets it fill up, the
 * stream ends with the given error rather than growing.
 */
export class PushStream<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  #wake: (() => void) | undefined;
  #end: { error?: unknown } | undefined;

  constructor(limit = 1024) {
    this.#limit = limit;
  }

  /** Adds an item; false when the stream has ended or just overflowed. */
  push(item: T): boolean {
    if (this.#end !== undefined) return false;
    if (this.#items.length >= this.#limit) {
      this.end(new Error(`A stream's reader fell ${this.#limit} items behind.`));
      return false;
    }
    this.#items.push(item);
    this.#wake?.();
    return true;
  }

  /** Ends the stream once what was pushed has been read; with an error, the reader gets it at the end. */
  end(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      while (true) {
        while (this.#items.length > 0) yield this.#items.shift() as T;
        if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.#end ??= {};
    }
  }
}
