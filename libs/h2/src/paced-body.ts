import { AimassError, type Clock } from "@aimass/core";
import { tooLate, tooSlow } from "./read-body.ts";

export interface PaceRules {
  readonly clock: Clock;
  /** Least bytes in each window. */
  readonly leastBytes: number;
  /** Length of a window, in milliseconds. Default 10 s. */
  readonly windowMs?: number;
  /** How long the whole body may take, in milliseconds. Default: as long as it keeps its pace. */
  readonly timeoutMs?: number;
  /** Counts each piece; what it throws ends the body. */
  readonly onPiece?: (piece: Uint8Array) => void;
}

/**
 * A body as it comes, at a least pace: an open call holds a place, and perhaps a connection, for nothing. Only the time in which somebody waits for the sender
 * counts, so that a reader that takes its time, or waits for somebody else, is not held against the sender. Ends with DEADLINE_EXCEEDED.
 */
export class PacedBody<Piece extends Uint8Array> implements AsyncIterable<Piece> {
  readonly #pieces: AsyncIterable<Piece>;
  readonly #rules: PaceRules;
  readonly #endsAt: number;
  #failure: AimassError | undefined;
  /** Of the window that runs. */
  #waitedMs = 0;
  #bytes = 0;

  constructor(pieces: AsyncIterable<Piece>, rules: PaceRules) {
    this.#pieces = pieces;
    this.#rules = rules;
    this.#endsAt = rules.clock.monotonic() + (rules.timeoutMs ?? Number.POSITIVE_INFINITY);
  }

  /** Why the body was given up, if it was. */
  get failure(): AimassError | undefined {
    return this.#failure;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Piece> {
    const pieces = this.#pieces[Symbol.asyncIterator]();
    try {
      while (true) {
        const next = await this.#inTime(pieces.next());
        if (next.done) return;
        this.#bytes += next.value.length;
        this.#rules.onPiece?.(next.value);
        yield next.value;
      }
    } catch (error) {
      if (error instanceof AimassError) this.#failure ??= error;
      throw error;
    } finally {
      // What is not read any more is let go; not waited for, for it may be what did not come.
      pieces.return?.().catch(() => {});
    }
  }

  async #inTime<T>(pending: Promise<T>): Promise<T> {
    // Given up in between, it may reject with nobody waiting.
    pending.catch(() => {});
    while (true) {
      const { clock, leastBytes, timeoutMs = 0, windowMs = 10_000 } = this.#rules;
      const startedAt = clock.monotonic();
      const waitMs = Math.max(0, Math.min(windowMs - this.#waitedMs, this.#endsAt - startedAt));
      const next = await orLate(pending, clock, waitMs);
      const now = clock.monotonic();
      this.#waitedMs += now - startedAt;
      if (next !== late) return next;
      if (now >= this.#endsAt) throw tooLate(timeoutMs);
      if (this.#waitedMs < windowMs) continue;
      if (this.#bytes < leastBytes) throw tooSlow(leastBytes, windowMs);
      this.#waitedMs = 0;
      this.#bytes = 0;
    }
  }
}

const late = Symbol("late");

async function orLate<T>(pending: Promise<T>, clock: Clock, ms: number): Promise<T | typeof late> {
  const { promise, resolve } = Promise.withResolvers<typeof late>();
  // After the next poll for input: if it was this process that stood still, what the sender sent is here by then.
  using _ = clock.timer(ms, () => setImmediate(() => resolve(late)));
  return await Promise.race([pending, promise]);
}
