/** Bytes of a request that are kept so that it can be sent again while its first backend turns out not to take it. */
const keptLimitBytes = 64 * 1024;

/** A body that can be read from its beginning again as long as no more than a little of it was read. */
export class ReplayableBody {
  readonly #source: AsyncIterator<Buffer>;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #isReplayable = true;
  #pending: Promise<IteratorResult<Buffer>> | undefined;
  #isEnded = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get isReplayable(): boolean {
    return this.#isReplayable;
  }

  /** Whether all of it was read. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The body from its beginning. Only one reading at a time; an older one is left off when `isCurrent` says so. */
  async *read(isCurrent: () => boolean): AsyncIterable<Buffer> {
    for (const chunk of [...this.#kept]) yield chunk;
    while (!this.#isEnded) {
      this.#pending ??= this.#source.next();
      const next = await this.#pending;
      if (!isCurrent()) return;
      this.#pending = undefined;
      if (next.done) {
        this.#isEnded = true;
        return;
      }
      this.#keep(next.value);
      yield next.value;
    }
  }

  #keep(chunk: Buffer): void {
    if (!this.#isReplayable) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes <= keptLimitBytes) {
      this.#kept.push(chunk);
      return;
    }
    this.#isReplayable = false;
    this.#kept.length = 0;
  }
}
