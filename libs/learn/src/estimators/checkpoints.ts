import type { FitOptions } from "../estimator.ts";
import type { Json } from "../packed-array.ts";

/** Hands over checkpoints as often as the options ask; making one costs nothing until then. */
export class Checkpoints {
  readonly #take: ((checkpoint: Json) => void) | undefined;
  readonly #everyMs: number;
  #last = performance.now();

  constructor({ onCheckpoint, checkpointEveryMs = 30_000 }: FitOptions) {
    this.#take = onCheckpoint;
    this.#everyMs = checkpointEveryMs;
  }

  offer(make: () => Json): void {
    if (this.#take === undefined || performance.now() - this.#last < this.#everyMs) return;
    this.#take(make());
    this.#last = performance.now();
  }
}
