import { type ModelProfile, quickSizes } from "../profiling/model-profile.ts";
import type { SlotSession } from "../slots/slot.ts";
import type { ServingPlan } from "./serving-plan.ts";

/**
 * Runs a fresh session once with the quick ones of the batch sizes it may get, so that no request pays for the first run of a shape, and takes the parity digest of a
 * single row's outputs on its thread. What is slow was run in the profiling process alone. Each run is an ask of its own: those of others come between.
 *
 * @returns the digest; empty when two equal runs differ, because the model is random by design, and when the model took no probe input at all, as the registry's
 *   trial may have found too: it is served all the same, since a caller may know what it takes
 */
export async function warmUp(
  plan: ServingPlan,
  session: SlotSession,
  profile: ModelProfile,
  maxBatchSize: number,
): Promise<Uint8Array> {
  const { style, parity } = profile;
  if (style === undefined) return new Uint8Array();
  const { inputs, batchable } = plan;
  const sizes = quickSizes(profile, maxBatchSize);
  if (sizes[0] !== 1) return Buffer.from(parity, "hex");
  const run = (rows: number, digest: boolean) =>
    session.slot.probe(session, { inputs, batchable, rows, style, digest });
  const first = await run(1, true);
  for (const rows of sizes.slice(1)) await run(rows, false);
  return Buffer.compare(first, await run(1, true)) === 0 ? first : new Uint8Array();
}
