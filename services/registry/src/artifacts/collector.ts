import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { RegistryMetrics } from "../metrics.ts";
import { type Collection, type CollectionOptions, collectArtifacts } from "./garbage-collection.ts";

const everyMs = 3600_000;

interface CollectorOptions extends CollectionOptions {
  readonly metrics: RegistryMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

/** Collects once an hour until the signal aborts; the first time within the hour after the start, so that many processes spread out. */
export async function runCollector(options: CollectorOptions): Promise<void> {
  const { clock, signal, metrics, log, random = Math.random } = options;
  let waitMs = everyMs * random();
  metrics.collectionBlocked.set(options.tie.current.kind === "tied" ? 0 : 1);
  while (await sleepUnlessAborted(clock, waitMs, signal)) {
    waitMs = everyMs;
    try {
      const done = await collectArtifacts(options);
      metrics.collectionBlocked.set(done === undefined ? 1 : 0);
      if (done !== undefined) tell(done, options);
    } catch (error) {
      if (!signal.aborted) log.warn("garbage collection failed", { error });
    }
  }
}

function tell(done: Collection, { metrics, log, clock }: CollectorOptions): void {
  metrics.collectedArtifacts.add(done.artifacts);
  metrics.collectedBytes.add(done.bytes);
  metrics.restoredArtifacts.add(done.restored);
  metrics.unreferencedArtifacts.set(done.unreferenced);
  metrics.lastCollection.set(clock.now() / 1000);
  if (done.postponed > 0) {
    log.warn(
      "this database names fewer of the artifacts than a day's collection may take; is it the right one, and whole?",
      {
        ...done,
      },
    );
  } else if (done.trashed + done.restored + done.artifacts + done.uploads > 0) {
    log.info("unreferenced artifacts were collected", { ...done });
  }
}

async function sleepUnlessAborted(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  await clock.sleep(ms, signal).catch(() => {});
  return !signal.aborted;
}
