import type { Chore } from "./housekeeping.ts";
import type { Parts } from "./parts.ts";
import { trimChanges } from "./policy/policy-reader.ts";

/** How often followers hear that the policy is still the newest. */
export const signOfLifeMs = 5000;

/** How long a head that was signed may wait for its way to the artifact store, and how soon a failed way is tried again. */
const storeEveryMs = 10_000;

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** All that is done again and again. */
export function choresOf(parts: Parts): readonly Chore[] {
  const { keys, heads, attempts, sessions, enforcers, store, config } = parts;
  const rotationMs = config.keyRotationHours * hourMs;
  return [
    { name: "sign of life", everyMs: signOfLifeMs, run: () => giveSignOfLife(parts) },
    { name: "rotate signing keys", everyMs: minuteMs, run: () => keys.maintain(rotationMs) },
    { name: "export the ledger's head", everyMs: minuteMs, run: () => heads.export() },
    { name: "store the ledger's heads", everyMs: storeEveryMs, run: (signal) => storeHeads(parts, signal) },
    { name: "forget old attempts", everyMs: 10 * minuteMs, run: () => attempts.forgetOld() },
    { name: "withdraw ended sessions", everyMs: minuteMs, run: () => sessions.withdrawEnded() },
    { name: "forget old sessions", everyMs: hourMs, run: () => sessions.forgetOld() },
    { name: "forget old enforcers", everyMs: hourMs, run: () => enforcers.forgetOld() },
    { name: "trim the policy's history", everyMs: hourMs, run: () => trimChanges(store) },
  ];
}

/** Makes sure that the state is still the newest, and says so to all who follow here. */
async function giveSignOfLife({ feed, enforcers, metrics, identity }: Parts): Promise<void> {
  try {
    await feed.refresh();
    await enforcers.keepAlive([identity.name, ...feed.followers]);
    metrics.liveEnforcers.set(await enforcers.countLive());
  } catch (error) {
    metrics.policyReadFailures.add();
    throw error;
  } finally {
    // Also while the database is away: the stream lives, and the update carries the time of the last read.
    feed.signOfLife();
  }
}

async function storeHeads({ storedHeads, metrics }: Parts, signal: AbortSignal): Promise<void> {
  try {
    await storedHeads?.export(signal);
  } catch (error) {
    metrics.headStoreFailures.add();
    throw error;
  }
}
