import { decodeInferRequest, decodePredict, decodePredictCsv, decodeRestInfer, type InferRequest } from "@aimass/oip";
import { packRequests, unpack } from "../batching/packed-tensors.ts";
import { checkRequestedOutputs } from "../servables/select-outputs.ts";
import type { ServingPlan } from "../servables/serving-plan.ts";
import { type ValidInputs, validateInputs } from "../servables/validate-inputs.ts";

/** How a body of `/predict` is written. */
export type PredictForm = "predict" | "predict csv";

/** The body of a call that is to be read. */
export interface CallBody {
  readonly kind: "grpc" | "rest" | PredictForm;
  /** Not compressed. */
  readonly body: Uint8Array;
  readonly model: string;
  readonly version: string;
  /** Inference-Header-Content-Length. */
  readonly jsonLength?: number | undefined;
  /** Bytes the tensors may take together. */
  readonly limitBytes: number;
}

/** A call that was read, with what its answer must know of it. */
export interface ReadCall {
  readonly request: InferRequest;
  /** Inputs that were checked, and against which plan; undefined: not yet. */
  readonly checked?: { readonly plan: ServingPlan; readonly inputs: ValidInputs };
  /** REST v2: whether outputs that do not say travel binary. */
  readonly binaryByDefault: boolean;
  /** `/predict`: columns that were passed over, and whether there was no row. */
  readonly ignoredColumns?: string | undefined;
  readonly isEmpty: boolean;
}

/** Decodes a body for a model. Throws as the decoders do. */
export function readCall({ kind, body, ...call }: CallBody, plan: ServingPlan): ReadCall {
  const plain = { binaryByDefault: false, isEmpty: false };
  if (kind === "grpc") return { ...plain, request: decodeInferRequest(body, call.limitBytes) };
  if (kind !== "rest") {
    const decode = kind === "predict" ? decodePredict : decodePredictCsv;
    return { ...plain, ...decode(body, plan, call.model, call.version, call.limitBytes) };
  }
  const headers = {
    inflateLimit: call.limitBytes,
    ...(call.jsonLength !== undefined && { contentLengthHeader: call.jsonLength }),
  };
  return { ...plain, ...decodeRestInfer(body, headers, call.model, call.version, plan) };
}

/** `readCall` with inputs and requested outputs checked against the plan, and the inputs packed as a run takes them. Throws as these checks do, too. */
export function readAndCheck(call: CallBody, plan: ServingPlan): Omit<ReadCall, "checked"> & { inputs: ValidInputs } {
  const read = readCall(call, plan);
  const inputs = validateInputs(plan, read.request.inputs);
  checkRequestedOutputs(plan, read.request.outputs);
  const tensors = unpack(packRequests([inputs.tensors]));
  return { ...read, request: { ...read.request, inputs: tensors }, inputs: { ...inputs, tensors } };
}
