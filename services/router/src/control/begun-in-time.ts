import { AimassError, type Clock } from "@aimass/core";

/** How long the first bytes of a request may take. */
const patienceMs = 10_000;

/** A request's chunks, of which the first must come in time: an open call holds a place, and perhaps a connection, for nothing. */
export class BegunInTime implements AsyncIterable<Buffer> {
  readonly #chunks: AsyncIterable<Buffer>;
  readonly #clock: Clock;
  #isLate = false;

  constructor(chunks: AsyncIterable<Buffer>, clock: Clock) {
    this.#chunks = chunks;
    this.#clock = clock;
  }

  /** Whether nothing came. */
  get isLate(): boolean {
    return this.#isLate;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    const chunks = this.#chunks[Symbol.asyncIterator]();
    const late = Promise.withResolvers<never>();
    const timer = this.#clock.timer(patienceMs, () => {
      this.#isLate = true;
      late.reject(new AimassError("DEADLINE_EXCEEDED", "Nothing of the request came."));
    });
    let next: IteratorResult<Buffer>;
    try {
      next = await Promise.race([chunks.next(), late.promise]);
    } finally {
      timer[Symbol.dispose]();
    }
    while (!next.done) {
      yield next.value;
      next = await chunks.next();
    }
  }
}
