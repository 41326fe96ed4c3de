import type { PreparedRows } from "../recipes/candidate.ts";

/** Rows while they are used; what was not kept goes when it is disposed. */
export interface PreparedLoan extends AsyncDisposable {
  readonly prepared: PreparedRows;
}

/**
 * Rows that later trials may need again: those of a search differ in the estimator's parameters more often than in its features. Holds what was used last,
 * up to a number of bytes.
 */
export class PreparedCache implements AsyncDisposable {
  readonly #limitBytes: number;
  /** The one used longest ago first. */
  readonly #kept = new Map<string, PreparedRows>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The rows kept under a key; made, and kept where they fit, when there are none. One loan at a time. Errors: those of `make`. */
  async borrow(key: string, make: () => Promise<PreparedRows>): Promise<PreparedLoan> {
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return { prepared: known, [Symbol.asyncDispose]: async () => {} };
    }
    const prepared = await make();
    const { bytes } = prepared.rows;
    // What lies on disk takes no memory, but there is no bound to how much of it there would be.
    if (bytes === 0 || bytes > this.#limitBytes) {
      return { prepared, [Symbol.asyncDispose]: () => prepared[Symbol.asyncDispose]() };
    }
    await this.#makeRoom(bytes);
    this.#kept.set(key, prepared);
    this.#bytes += bytes;
    return { prepared, [Symbol.asyncDispose]: async () => {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#makeRoom(Number.POSITIVE_INFINITY);
  }

  async #makeRoom(bytes: number): Promise<void> {
    for (const [key, oldest] of this.#kept) {
      if (this.#bytes + bytes <= this.#limitBytes) return;
      this.#kept.delete(key);
      this.#bytes -= oldest.rows.bytes;
      await oldest[Symbol.asyncDispose]();
    }
  }
}
