import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until the predicate answers with something true, and returns that. A predicate that throws counts as "not yet"; its last error is told when time is up.
 */
export async function waitFor<T>(
  predicate: () => T | Promise<T>,
  options: { timeoutMs?: number; intervalMs?: number; what?: string } = {},
): Promise<Exclude<T, false | undefined | null | 0 | "">> {
  const { timeoutMs = 60_000, intervalMs = 10, what = "the condition" } = options;
  const started = performance.now();
  let failure: unknown;
  while (performance.now() - started < timeoutMs) {
    try {
      const answer = await predicate();
      if (answer) return answer as Exclude<T, false | undefined | null | 0 | "">;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await sleep(intervalMs);
  }
  throw new Error(
    `Waited ${timeoutMs} ms for ${what} in vain.`,
    failure === undefined ? undefined : { cause: failure },
  );
}
