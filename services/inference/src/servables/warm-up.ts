import { AimassError } from "@aimass/core";
import type { Tensor } from "@aimass/oip";
import { packRequests, unpack } from "../batching/packed-tensors.ts";
import type { RunResult, SlotSession } from "../slots/slot.ts";
import { parityDigest } from "./parity-digest.ts";
import { type ProbeStyle, probeInputs } from "./probe-inputs.ts";
import type { ServingPlan } from "./serving-plan.ts";

/** Ways to make probe inputs, in the order they are tried: different models refuse different inputs. */
const styles: readonly ProbeStyle[] = [
  { axisLength: 1, zeros: false },
  { axisLength: 1, zeros: true },
  { axisLength: 4, zeros: false },
  { axisLength: 16, zeros: false },
  { axisLength: 64, zeros: false },
  { axisLength: 224, zeros: false },
];

/**
 * Runs a fresh session once with every batch size it may get (1, 2, 4 … largest), so that no request pays for the first run of a shape, and takes the parity
 * digest of the single-row outputs. Rejects with what the runtime said when a batch size fails.
 *
 * @returns the digest; empty when two equal runs differ, because the model is random by design, and when the model took no probe input at all, as the registry's
 *   trial may have found too: it is served all the same, since a caller may know what it takes
 */
export async function warmUp(plan: ServingPlan, session: SlotSession): Promise<Uint8Array> {
  const run = async (rows: number, style: ProbeStyle): Promise<readonly Tensor[]> => {
    const { result } = session.slot.run(session, packRequests([probeInputs(plan, rows, style)]), rows);
    return unpack(((await result) as RunResult).outputs);
  };
  for (const style of styles) {
    const first = await run(1, style).catch(refusedInput);
    if (first === undefined) continue;
    for (const rows of batchSizes(plan.maxBatchSize).slice(1)) await run(rows, style);
    const digest = parityDigest(first);
    return Buffer.compare(digest, parityDigest(await run(1, style))) === 0 ? digest : new Uint8Array();
  }
  return new Uint8Array();
}

function refusedInput(error: unknown): undefined {
  if (!(error instanceof AimassError) || error.code !== "INVALID_ARGUMENT") throw error;
  return undefined;
}

/** 1, 2, 4 … and the largest itself. */
export function batchSizes(largest: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 1; size < largest; size *= 2) sizes.push(size);
  return [...sizes, largest];
}
