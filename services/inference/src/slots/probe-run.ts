import { type PackedTensors, packRequests, unpack } from "../batching/packed-tensors.ts";
import { parityDigest } from "../servables/parity-digest.ts";
import { type ProbeStyle, probeInputs } from "../servables/probe-inputs.ts";
import type { TensorPlan } from "../servables/serving-plan.ts";
import type { OpenModel } from "./open-model.ts";
import { packOutputs, toFeeds } from "./ort-tensors.ts";

/** A run on inputs that are made where it runs: nothing of any size crosses threads. */
export interface Probe {
  readonly inputs: readonly TensorPlan[];
  /** Axis 0 of every input carries the batch. */
  readonly batchable: boolean;
  readonly rows: number;
  readonly style: ProbeStyle;
  /** Whether the parity digest of the outputs is wanted. */
  readonly digest: boolean;
}

/** Runs a probe. `around` wraps the run itself. Returns the digest when it was asked for. */
export async function runProbe(
  { session, bfloat16Outputs }: OpenModel,
  probe: Probe,
  around: <T>(run: () => Promise<T>) => Promise<T> = (run) => run(),
): Promise<Uint8Array | undefined> {
  const feeds = toFeeds(packRequests([probeInputs(probe, probe.rows, probe.style)]));
  const outputs: PackedTensors = packOutputs(
    await around(() => session.run(feeds)),
    session.outputNames,
    bfloat16Outputs,
  );
  return probe.digest ? parityDigest(unpack(outputs)) : undefined;
}
