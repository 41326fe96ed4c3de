import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `check` gives something, asking every 10 ms; throws after `ms` with what was waited for. */
export async function until<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 60_000,
): Promise<T> {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    await sleep(10);
  }
  throw new Error(`${what} did not happen within ${ms} ms.`);
}
