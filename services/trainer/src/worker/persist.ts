import { Backoff, type Clock } from "@aimass/core";
import { isPassing } from "../library/registry-library.ts";

/** How long what must not be lost is tried to be stored. */
const patienceMs = 120_000;
/** The same for a process that is to end. */
const hurriedMs = 5000;

/** Writes again and again while the database is away. Errors: those of `write` that do not pass, or the last one. */
export async function persist<T>(
  write: () => Promise<T>,
  { clock, stopping }: { clock: Clock; stopping: AbortSignal },
): Promise<T> {
  const backoff = new Backoff();
  const since = clock.monotonic();
  while (true) {
    try {
      return await write();
    } catch (error) {
      const passed = clock.monotonic() - since;
      if (!isPassing(error) || passed > (stopping.aborted ? hurriedMs : patienceMs)) throw error;
      await clock.sleep(backoff.next());
    }
  }
}
