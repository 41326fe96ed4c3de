import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";

/** Something done again and again. */
export interface Chore {
  readonly name: string;
  readonly everyMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** Does each chore at its interval until the signal aborts; a failure is logged and the chore comes again. */
export async function doChores(
  chores: readonly Chore[],
  options: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<void> {
  await Promise.all(chores.map((chore) => repeat(chore, options)));
}

async function repeat(
  chore: Chore,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(chore.everyMs, signal).catch(() => {});
    if (signal.aborted) return;
    await chore.run(signal).catch((error: unknown) => {
      if (!signal.aborted) log.warn("chore failed", { chore: chore.name, error });
    });
  }
}
