import type { Clock } from "@aimass/core";

/** Wakes sleepers early. Who remembers `rings` before it looks for work misses nothing that is rung while it looks. */
export class Bell {
  #rings = 0;
  #next = new AbortController();

  /** How often it rang so far. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings += 1;
    this.#next.abort();
    this.#next = new AbortController();
  }

  /** Resolves when it has rung more than `seen` times, after `ms`, or when a signal aborts. */
  async waitPast(seen: number, clock: Clock, ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
    if (this.#rings > seen) return;
    await clock.sleep(ms, AbortSignal.any([this.#next.signal, ...signals])).catch(() => {});
  }
}
