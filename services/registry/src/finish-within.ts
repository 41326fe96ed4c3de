import type { Clock } from "@aimass/core";

/** Waits for one step after the other, for all of them together no longer than the grace: what is late then is left to its end. */
export async function finishWithin(
  graceMs: number,
  clock: Clock,
  steps: readonly (() => Promise<unknown>)[],
): Promise<void> {
  const done = new AbortController();
  const late = clock.sleep(graceMs, done.signal).catch(() => {});
  try {
    for (const step of steps) await Promise.race([step(), late]);
  } finally {
    done.abort();
  }
}
