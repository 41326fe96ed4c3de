import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { RegistryMetrics } from "../metrics.ts";
import { type CollectionOptions, collectArtifacts } from "./garbage-collection.ts";

const everyMs = 3600_000;

/** Collects once an hour until the signal aborts; the first time within the hour after the start, so that many processes spread out. */
export async function runCollector(
  options: CollectionOptions & {
    readonly metrics: RegistryMetrics;
    readonly log: Logger;
    readonly signal: AbortSignal;
    readonly random?: () => number;
  },
): Promise<void> {
  const { clock, signal, metrics, log, random = Math.random } = options;
  let waitMs = everyMs * random();
  while (await sleepUnlessAborted(clock, waitMs, signal)) {
    waitMs = everyMs;
    try {
      const done = await collectArtifacts(options);
      metrics.collectedArtifacts.add(done.artifacts);
      metrics.collectedBytes.add(done.bytes);
      metrics.lastCollection.set(clock.now() / 1000);
      if (done.artifacts + done.uploads > 0) log.info("unreferenced artifacts were removed", { ...done });
    } catch (error) {
      if (!signal.aborted) log.warn("garbage collection failed", { error });
    }
  }
}

async function sleepUnlessAborted(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  await clock.sleep(ms, signal).catch(() => {});
  return !signal.aborted;
}
