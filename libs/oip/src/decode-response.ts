import { AimassError } from "@aimass/core";
import { ByteBudget } from "./element-sink.ts";
import { expectLength, ParameterCollector } from "./read-parameters.ts";
import { readTensorHeader, tensorFromContents, tensorFromRaw } from "./read-tensor.ts";
import type { InferResponse } from "./tensor.ts";
import type { TensorHeader } from "./tensor-header.ts";
import { WireReader } from "./wire-reader.ts";

/** Decodes a ModelInferResponse with raw or typed contents, for clients. Throws INVALID_ARGUMENT when it is malformed. */
export function decodeInferResponse(body: Uint8Array): InferResponse {
  return readInferResponse(new WireReader(body, 0, "ModelInferResponse"));
}

/** Decodes a ModelStreamInferResponse, for clients. */
export function decodeStreamInferResponse(body: Uint8Array): { errorMessage: string; response?: InferResponse } {
  const reader = new WireReader(body, 0, "ModelStreamInferResponse");
  let errorMessage = "";
  let response: InferResponse | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) errorMessage = reader.text();
    else if (tag === 18) {
      const outer = reader.enter();
      response = readInferResponse(reader);
      reader.leave(outer);
    } else reader.skip(tag);
  }
  return response === undefined ? { errorMessage } : { errorMessage, response };
}

function readInferResponse(reader: WireReader): InferResponse {
  let modelName = "";
  let modelVersion = "";
  let id = "";
  const collector = new ParameterCollector();
  const headers: TensorHeader[] = [];
  const raw: Uint8Array[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field > 6) {
      reader.skip(tag);
      continue;
    }
    expectLength(reader, tag, `field ${field}`);
    if (field === 6) raw.push(reader.view());
    else if (field === 5) headers.push(readTensorHeader(reader));
    else if (field === 1) modelName = reader.text();
    else if (field === 2) modelVersion = reader.text();
    else if (field === 3) id = reader.text();
    else collector.read(reader);
  }
  // What a server answers is as large as it is.
  const budget = new ByteBudget(Number.POSITIVE_INFINITY);
  const outputs = headers.map((header, index) => {
    if (raw.length === 0) return tensorFromContents(reader, header, budget);
    const bytes = raw[index];
    if (bytes !== undefined && raw.length === headers.length) return tensorFromRaw(header, bytes);
    throw new AimassError(
      "INVALID_ARGUMENT",
      `The answer has ${headers.length} outputs and ${raw.length} raw entries.`,
    );
  });
  return { modelName, modelVersion, id, parameters: collector.parameters, outputs };
}
