import { type InferRequest, type InferResponse, integerParameter } from "@aimass/oip";
import type { Codec } from "../codec/codec.ts";
import type { ReadCall } from "../codec/read-call.ts";
import { checkRequestedOutputs, selectOutputs } from "../servables/select-outputs.ts";
import type { Servable } from "../servables/servable.ts";
import type { ServingPlan } from "../servables/serving-plan.ts";
import { validateInputs } from "../servables/validate-inputs.ts";

export interface InferOptions {
  /** Monotonic milliseconds. */
  readonly deadline: number;
  readonly now: number;
  readonly signal: AbortSignal;
  readonly codec: Codec;
  /** Inputs that were checked already, against their plan. */
  readonly checked?: ReadCall["checked"];
}

/**
 * Answers one inference request on a servable: checks it, runs it, picks the outputs it asked for. `deadline`: monotonic milliseconds; the request's own `timeout`
 * parameter (µs) may bring it forward, counted from `now`; its `priority` chooses a level of the version's. `signal` aborts when the caller gives up. Rejects as `validateInputs`, `checkRequestedOutputs` and `Servable.infer` do.
 */
export async function infer(
  servable: Servable,
  request: InferRequest,
  { deadline, now, signal, codec, checked }: InferOptions,
): Promise<InferResponse> {
  const { plan } = servable;
  const inputs = checked?.plan === plan ? checked.inputs : validateInputs(plan, request.inputs);
  checkRequestedOutputs(plan, request.outputs);
  const outputs = await servable.infer(inputs, {
    deadline: Math.min(deadline, ownDeadline(request, now)),
    priority: priorityOf(plan, request),
    signal,
  });
  return {
    modelName: request.modelName,
    modelVersion: String(plan.name.version),
    id: request.id,
    outputs: await selectOutputs(plan, outputs, request.outputs, (rankings) => codec.rank(rankings, signal)),
  };
}

/** Triton's schedule policy: 1 is the highest, 0 or nothing or a level there is not means the default. */
function priorityOf({ priorityLevels, defaultPriority }: ServingPlan, request: InferRequest): number {
  if (priorityLevels === 0 || request.parameters.size === 0) return defaultPriority;
  const asked = integerParameter(request.parameters, "priority") ?? 0;
  return asked >= 1 && asked <= priorityLevels ? asked : defaultPriority;
}

function ownDeadline(request: InferRequest, now: number): number {
  if (request.parameters.size === 0) return Number.POSITIVE_INFINITY;
  const micros = integerParameter(request.parameters, "timeout") ?? 0;
  return micros > 0 ? now + micros / 1000 : Number.POSITIVE_INFINITY;
}
