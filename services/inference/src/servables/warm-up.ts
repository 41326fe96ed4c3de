import type { Tensor } from "@aimass/oip";
import { packRequests, unpack } from "../batching/packed-tensors.ts";
import type { SlotSession } from "../slots/slot.ts";
import { parityDigest } from "./parity-digest.ts";
import { probeInputs } from "./probe-inputs.ts";
import type { ServingPlan } from "./serving-plan.ts";

/**
 * Runs a fresh session once with every batch size it may get (1, 2, 4 … largest), so that no request pays for the first run of a shape, and takes the parity
 * digest of the single-row outputs. Rejects with what the runtime said.
 *
 * @returns the digest; empty when two equal runs differ, because the model is random by design
 */
export async function warmUp(plan: ServingPlan, session: SlotSession): Promise<Uint8Array> {
  const run = async (rows: number, zeros: boolean): Promise<readonly Tensor[]> => {
    const result = await session.slot.run(session, packRequests([probeInputs(plan, rows, zeros)]));
    return unpack(result.outputs);
  };
  // Values that one model takes may be out of range for another; zeros are the second try.
  const zeros = await run(1, false).then(
    () => false,
    () => true,
  );
  for (const rows of batchSizes(plan.maxBatchSize)) await run(rows, zeros);
  const first = parityDigest(await run(1, zeros));
  const second = parityDigest(await run(1, zeros));
  return Buffer.compare(first, second) === 0 ? first : new Uint8Array();
}

/** 1, 2, 4 … and the largest itself. */
export function batchSizes(largest: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 1; size < largest; size *= 2) sizes.push(size);
  return [...sizes, largest];
}
