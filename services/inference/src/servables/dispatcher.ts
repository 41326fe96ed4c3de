import type { Clock } from "@aimass/core";
import type { Servable } from "./servable.ts";

/** How often waiting requests are checked against their deadlines, in milliseconds. */
const sweepMs = 50;

/**
 * Gives slots their next batches, servable after servable in turn. It runs once per turn of the event loop, after everything that one read of the sockets
 * brought has been queued, so that requests which came together run together without any waiting.
 */
export class Dispatcher implements Disposable {
  readonly #clock: Clock;
  readonly #waiting = new Set<Servable>();
  /** Those with requests that wait or run; swept while there are any. */
  readonly #busy = new Set<Servable>();
  #sweeper: NodeJS.Timeout | undefined;
  #scheduled = false;
  #timer: Disposable | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Says that a servable has something to run. */
  readonly wake = (servable: Servable): void => {
    this.#waiting.add(servable);
    this.#busy.add(servable);
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs).unref();
    this.#schedule();
  };

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const now = this.#clock.monotonic();
    let wakeAt = Number.POSITIVE_INFINITY;
    // A servable that ran and has more to do goes to the end of the set, and this loop comes to it again.
    for (const servable of this.#waiting) {
      if (servable.waiting === 0) {
        this.#waiting.delete(servable);
        continue;
      }
      const heldUntil = servable.heldUntil(now);
      if (heldUntil !== undefined) {
        wakeAt = Math.min(wakeAt, heldUntil);
        continue;
      }
      const session = servable.freeSession();
      if (session === undefined) continue;
      servable.runNext(session, now, () => this.#schedule());
      this.#waiting.delete(servable);
      if (servable.waiting > 0) this.#waiting.add(servable);
    }
    this.#timer?.[Symbol.dispose]();
    this.#timer =
      wakeAt === Number.POSITIVE_INFINITY
        ? undefined
        : this.#clock.timer(Math.max(0, wakeAt - now), () => this.#schedule());
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const servable of this.#busy) {
      servable.sweep(now);
      if (servable.pending === 0) this.#busy.delete(servable);
    }
    // A load that ended may have freed a slot without a word.
    if (this.#waiting.size > 0) this.#schedule();
    if (this.#busy.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
