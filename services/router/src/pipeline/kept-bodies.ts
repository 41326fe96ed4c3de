/** Bounds the memory of bodies that are kept for a retry: each body and all of them. */
export class KeptBodies {
  readonly #bodyLimit: number;
  readonly #totalLimit: number;
  #total = 0;

  constructor(options: { bodyLimitBytes: number; totalLimitBytes: number }) {
    this.#bodyLimit = options.bodyLimitBytes;
    this.#totalLimit = options.totalLimitBytes;
  }

  get totalBytes(): number {
    return this.#total;
  }

  /** Whether a body is kept; release its bytes when the call is over. */
  keep(bytes: number): boolean {
    if (bytes > this.#bodyLimit || this.#total + bytes > this.#totalLimit) return false;
    this.#total += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#total -= bytes;
  }
}
