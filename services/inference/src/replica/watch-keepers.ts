import { type Clock, processLockHolder } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { ReplicaConfig } from "./replica-config.ts";

/** How often a replica looks whether somebody still keeps it, in milliseconds. */
const lookMs = 1000;

/**
 * Ends this process, as SIGTERM does, when nobody keeps it any more: at once when its supervisor is gone, which would start another agent; without a supervisor when no
 * agent has been there for `orphanMs`. An agent's death alone ends no replica. Does nothing where nobody ever kept it.
 */
export async function watchKeepers(
  { agentLock, supervisorLock, orphanMs }: Pick<ReplicaConfig, "agentLock" | "supervisorLock" | "orphanMs">,
  { clock, signal, log }: { clock: Clock; signal: AbortSignal; log: Logger },
): Promise<void> {
  const lock = supervisorLock ?? agentLock;
  if (agentLock === undefined || lock === undefined) return;
  const patienceMs = supervisorLock === undefined ? orphanMs : 0;
  let seenAt = clock.monotonic();
  while (!signal.aborted) {
    await clock.sleep(lookMs, signal).catch(() => {});
    if ((await processLockHolder(lock)) !== undefined) seenAt = clock.monotonic();
    else if (clock.monotonic() - seenAt > patienceMs) break;
  }
  if (signal.aborted) return;
  log.warn("nobody keeps this replica any more; it ends", { lock });
  process.kill(process.pid, "SIGTERM");
}
