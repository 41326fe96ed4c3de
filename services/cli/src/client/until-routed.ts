import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./connection.ts";

/** Where an alias points, or a version by its own number: the wait is over only when it is served by this version, and not by one it pointed at before. */
export interface ExpectedAlias {
  readonly alias: string;
  readonly version: bigint;
}

/** Routers hear of new routes within some ten milliseconds. Whoever may not call a model cannot see its routes and waits for as long as this, in milliseconds. */
const longestMs = 3000;
const pollMs = 20;

/**
 * Waits until the router that answers at this server sends calls of each alias to its version: the scheduler has decided so, and the routes are on their way.
 * A server that does not answer is not waited for.
 */
export async function untilRouted(
  connection: Connection,
  model: string,
  { aliases, signal }: { aliases: readonly ExpectedAlias[]; signal: AbortSignal },
): Promise<void> {
  const end = performance.now() + longestMs;
  for (const { alias, version } of aliases) {
    while (performance.now() < end && !(await isRouted(connection, { model, alias, version, signal })))
      await sleep(pollMs, undefined, { signal });
  }
}

async function isRouted(
  connection: Connection,
  { model, alias, version, signal }: ExpectedAlias & { model: string; signal: AbortSignal },
): Promise<boolean> {
  const path = `/v2/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(alias)}/ready`;
  try {
    const { ok, headers } = await connection.fetch(path, { signal });
    // Routers of an earlier version do not tell which.
    return ok && (headers.get("aimass-version") ?? String(version)) === String(version);
  } catch {
    signal.throwIfAborted();
    return true;
  }
}
