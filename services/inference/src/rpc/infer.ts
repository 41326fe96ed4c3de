import { type InferRequest, type InferResponse, integerParameter } from "@aimass/oip";
import { checkRequestedOutputs, selectOutputs } from "../servables/select-outputs.ts";
import type { Servable } from "../servables/servable.ts";
import { validateInputs } from "../servables/validate-inputs.ts";

/**
 * Answers one inference request on a servable: checks it, runs it, picks the outputs it asked for. `deadline`: monotonic milliseconds; the request's own `timeout`
 * parameter (µs) may bring it forward, counted from `now`. Rejects as `validateInputs`, `checkRequestedOutputs` and `Servable.infer` do.
 */
export async function infer(
  servable: Servable,
  request: InferRequest,
  deadline: number,
  now: number,
): Promise<InferResponse> {
  const { plan } = servable;
  const inputs = validateInputs(plan, request.inputs);
  if (request.outputs.length > 0) checkRequestedOutputs(plan, request.outputs);
  const outputs = await servable.infer(inputs, Math.min(deadline, ownDeadline(request, now)));
  return {
    modelName: request.modelName,
    modelVersion: String(plan.name.version),
    id: request.id,
    outputs: selectOutputs(plan, outputs, request.outputs),
  };
}

function ownDeadline(request: InferRequest, now: number): number {
  if (request.parameters.size === 0) return Number.POSITIVE_INFINITY;
  const micros = integerParameter(request.parameters, "timeout") ?? 0;
  return micros > 0 ? now + micros / 1000 : Number.POSITIVE_INFINITY;
}
