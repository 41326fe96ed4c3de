import type { Clock } from "@aimass/core";

/** Where calls wait for a replica to come up: bounded, woken together whenever something changed. */
export class WaitingRoom {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Waits for a change, at most `ms`, or until the signal aborts. False when the room is full. */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.size >= this.#limit) return Promise.resolve(false);
    return new Promise((resolve) => {
      const leave = () => {
        timer[Symbol.dispose]();
        signal.removeEventListener("abort", leave);
        this.#waiting.delete(leave);
        resolve(true);
      };
      const timer = this.#clock.timer(ms, leave);
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(leave);
      if (signal.aborted) leave();
    });
  }

  /** Something changed: everyone looks again. */
  wake(): void {
    for (const leave of [...this.#waiting]) leave();
  }
}
