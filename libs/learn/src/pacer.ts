import { setImmediate } from "node:timers/promises";

/**
 * Lets long calculations be interrupted: a loop asks `due` between blocks of work (a few ms at most) and awaits `breathe()` when it is, so that messages,
 * timers and the abort signal get their turn.
 */
export class Pacer {
  readonly #signal: AbortSignal | undefined;
  readonly #everyMs: number;
  #last = performance.now();

  constructor(signal?: AbortSignal, everyMs = 40) {
    this.#signal = signal;
    this.#everyMs = everyMs;
  }

  get due(): boolean {
    return performance.now() - this.#last >= this.#everyMs;
  }

  /** Throws the signal's reason when it is aborted. */
  async breathe(): Promise<void> {
    await setImmediate();
    this.#signal?.throwIfAborted();
    this.#last = performance.now();
  }
}
