import { AimassError } from "@aimass/core";
import { defaultInflateLimit } from "./compression.ts";
import { quoted } from "./datatype.ts";
import { ByteBudget } from "./element-sink.ts";
import { FieldLimit } from "./field-limit.ts";
import { integerParameter, type Parameters } from "./parameters.ts";
import { expectLength, ParameterCollector } from "./read-parameters.ts";
import { hasTypedData, readTensorHeader, tensorFromContents, tensorFromRaw } from "./read-tensor.ts";
import type { InferRequest, RequestedOutput, Tensor } from "./tensor.ts";
import type { TensorHeader } from "./tensor-header.ts";
import { WireReader } from "./wire-reader.ts";

/**
 * Decodes a ModelInferRequest. Tensor bytes are views into `body` wherever the wire holds them little-endian already.
 * Throws INVALID_ARGUMENT naming the tensor, what was given and what would be right; UNIMPLEMENTED for tensors in shared memory; RESOURCE_EXHAUSTED for
 * typed contents that take more than `tensorLimit` bytes as tensors.
 */
export function decodeInferRequest(body: Uint8Array, tensorLimit = defaultInflateLimit): InferRequest {
  const reader = new WireReader(body, 0, "ModelInferRequest");
  let modelName = "";
  let modelVersion = "";
  let id = "";
  const collector = new ParameterCollector();
  const headers: TensorHeader[] = [];
  const outputs: RequestedOutput[] = [];
  const raw: Uint8Array[] = [];
  const limit = new FieldLimit(reader);
  while (!reader.done) {
    const tag = limit.next();
    const field = tag >>> 3;
    if (field > 7) {
      reader.skip(tag);
      continue;
    }
    expectLength(reader, tag, `field ${field}`);
    if (field === 7) raw.push(reader.view());
    else if (field === 5) headers.push(readTensorHeader(reader));
    else if (field === 6) outputs.push(readRequestedOutput(reader));
    else if (field === 1) modelName = reader.name();
    else if (field === 2) modelVersion = reader.name();
    else if (field === 3) id = reader.name();
    else collector.read(reader);
  }
  checkUnique(headers, "input");
  checkUnique(outputs, "output");
  const inputs =
    raw.length > 0 ? joinRaw(reader, headers, raw) : joinTyped(reader, headers, new ByteBudget(tensorLimit));
  return { modelName, modelVersion, id, parameters: collector.parameters, inputs, outputs };
}

function readRequestedOutput(reader: WireReader): RequestedOutput {
  const outer = reader.enter();
  let name = "";
  const collector = new ParameterCollector();
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) name = reader.name();
    else if (tag === 18) collector.read(reader);
    else reader.skip(tag);
  }
  reader.leave(outer);
  return requestedOutput(name, collector.parameters);
}

/**
 * An output request with its parameters understood. Throws INVALID_ARGUMENT when `classification` is not a positive whole number,
 * UNIMPLEMENTED when the output is wanted in shared memory.
 */
export function requestedOutput(name: string, parameters: Parameters): RequestedOutput {
  if (parameters.size === 0) return { name };
  refuseSharedMemory(name, parameters);
  if (!parameters.has("classification")) return { name, parameters };
  const classification = integerParameter(parameters, "classification");
  if (classification === undefined || classification < 0) {
    throw new AimassError("INVALID_ARGUMENT", `Output ${quoted(name)} has a "classification" that is no count.`, {
      reason: "BAD_CLASSIFICATION",
      field: name,
      remedy: "Give the number of best classes wanted as a whole number.",
    });
  }
  return classification === 0 ? { name, parameters } : { name, classification, parameters };
}

/** Throws UNIMPLEMENTED when a tensor's data is in shared memory: clients and replicas share none. */
export function refuseSharedMemory(name: string, parameters: Parameters): void {
  if (!parameters.has("shared_memory_region")) return;
  throw new AimassError("UNIMPLEMENTED", `Tensor ${quoted(name)} is in shared memory, which is not offered.`, {
    field: name,
    remedy: "Send the tensor in the request; the server's extensions list what is offered.",
  });
}

function joinRaw(reader: WireReader, headers: readonly TensorHeader[], raw: readonly Uint8Array[]): Tensor[] {
  for (const header of headers) {
    if (header.parameters.size > 0) refuseSharedMemory(header.name, header.parameters);
    if (header.contents.length > 0 && hasTypedData(reader, header)) throw mixed(header.name);
  }
  if (raw.length !== headers.length) {
    const message = `The request has ${headers.length} inputs and ${raw.length} entries in raw_input_contents.`;
    throw new AimassError("INVALID_ARGUMENT", message, {
      reason: "WRONG_RAW_COUNT",
      field: "raw_input_contents",
      remedy: "Send one entry for each input, in the order of the inputs.",
    });
  }
  const tensors: Tensor[] = [];
  for (let i = 0; i < raw.length; i++) tensors.push(tensorFromRaw(headers[i] as TensorHeader, raw[i] as Uint8Array));
  return tensors;
}

function joinTyped(reader: WireReader, headers: readonly TensorHeader[], budget: ByteBudget): Tensor[] {
  return headers.map((header) => {
    if (header.parameters.size > 0) refuseSharedMemory(header.name, header.parameters);
    return tensorFromContents(reader, header, budget);
  });
}

/** Throws INVALID_ARGUMENT when two inputs, or two outputs, have one name. */
export function checkUnique(named: readonly { readonly name: string }[], what: "input" | "output"): void {
  if (named.length < 2) return;
  const seen = new Set<string>();
  for (const { name } of named) {
    if (seen.has(name)) {
      throw new AimassError("INVALID_ARGUMENT", `The request names ${what} ${quoted(name)} more than once.`, {
        reason: "DUPLICATE_TENSOR",
        field: name,
        remedy: `Name every ${what} once.`,
      });
    }
    seen.add(name);
  }
}

function mixed(name: string): AimassError {
  const message = `Tensor ${quoted(name)} has typed contents in a request that uses raw_input_contents.`;
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "MIXED_CONTENTS",
    field: name,
    remedy: "Send all inputs raw, or all of them as typed contents.",
  });
}
