import type { Clock } from "./clock.ts";
import { nextTurn } from "./join-pieces.ts";

/** How long one turn of the event loop may be worked through, in milliseconds. */
const turnMs = 8;

/** Work that may be put down at every `yield`. */
export type Pieces<T> = Generator<void, T, void>;

/** Does all of it at once. */
export function atOnce<T>(work: Pieces<T>): T {
  while (true) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Does it a few milliseconds at a time, with turns of the event loop between. */
export async function inTurns<T>(work: Pieces<T>, clock: Clock): Promise<T> {
  while (true) {
    const startedAt = clock.monotonic();
    do {
      const { done, value } = work.next();
      if (done) return value;
    } while (clock.monotonic() - startedAt < turnMs);
    await nextTurn();
  }
}
