import { AimassError, type Clock } from "@aimass/core";

/** Counts the calls that run, so that a server can wait for them. */
export class RunningCalls {
  readonly #draining = new AbortController();
  readonly #idle: (() => void)[] = [];
  #count = 0;

  /** Aborts when draining begins; endless streams end by it. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  get count(): number {
    return this.#count;
  }

  /** Notes that a call runs; call the result once when it ended. */
  enter(): () => void {
    this.#count += 1;
    return () => {
      this.#count -= 1;
      if (this.#count === 0) for (const done of this.#idle.splice(0)) done();
    };
  }

  beginDraining(): void {
    const reason = new AimassError("UNAVAILABLE", "The server is shutting down.", {
      reason: "SHUTTING_DOWN",
      remedy: "Connect again; another process or the next one takes over.",
    });
    this.#draining.abort(reason);
  }

  /** Resolves with true when nothing runs any more, with false when `ms` passed before. */
  async idleWithin(ms: number, clock: Clock): Promise<boolean> {
    if (this.#count === 0) return true;
    return new Promise((resolve) => {
      const timer = clock.timer(ms, () => resolve(false));
      this.#idle.push(() => {
        timer[Symbol.dispose]();
        resolve(true);
      });
    });
  }
}
