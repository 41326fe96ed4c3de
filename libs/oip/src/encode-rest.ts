import { AimassError } from "@aimass/core";
import { quoted } from "./datatype.ts";
import type { Json } from "./json.ts";
import { elementTexts, writeList } from "./json-elements.ts";
import type { Parameters } from "./parameters.ts";
import type { InferRequest, InferResponse, Tensor } from "./tensor.ts";
import { TextChunks } from "./text-chunks.ts";

/** An encoded REST answer. `body` is not compressed: see `compress`. */
export interface RestAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What a REST request asked for. */
export interface RestAsked {
  readonly outputs: InferRequest["outputs"];
  readonly binaryByDefault: boolean;
}

/**
 * Encodes the answer of a REST infer call: JSON, with the outputs that were asked for in binary behind it.
 * Throws INVALID_ARGUMENT when an output cannot be JSON (FP16, BF16, BYTES that are not UTF-8) and was not asked for in binary.
 */
export function encodeRestInfer(response: InferResponse, asked: RestAsked): RestAnswer {
  const binaryByName = new Map(asked.outputs.map((output) => [output.name, output.binary]));
  const tail: Uint8Array[] = [];
  const out = new TextChunks();
  out.add(
    `{"model_name":${JSON.stringify(response.modelName)},"model_version":${JSON.stringify(response.modelVersion)}`,
  );
  if (response.id !== "") out.add(`,"id":${JSON.stringify(response.id)}`);
  const parameters = writeParameters(response.parameters);
  if (parameters !== "") out.add(`,"parameters":{${parameters}}`);
  out.add(',"outputs":[');
  for (const [index, output] of response.outputs.entries()) {
    const binary = binaryByName.get(output.name) ?? asked.binaryByDefault;
    if (binary) tail.push(output.bytes);
    if (index > 0) out.add(",");
    writeOutput(out, output, binary);
  }
  out.add("]}");
  return assemble(out.finish(), tail);
}

function assemble(json: Buffer, tail: readonly Uint8Array[]): RestAnswer {
  if (tail.length === 0) return { headers: { "content-type": "application/json" }, body: json };
  const headers = {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(json.length),
  };
  return { headers, body: Buffer.concat([json, ...tail]) };
}

function writeOutput(out: TextChunks, output: Tensor, binary: boolean): void {
  const parameters = writeParameters(output.parameters, binary ? output.bytes.byteLength : undefined);
  out.add(`{"name":${JSON.stringify(output.name)},"datatype":"${output.datatype}","shape":[${output.shape.join(",")}]`);
  if (parameters !== "") out.add(`,"parameters":{${parameters}}`);
  if (!binary) writeData(out, output);
  out.add("}");
}

function writeData(out: TextChunks, output: Tensor): void {
  if (output.datatype === "FP16" || output.datatype === "BF16") {
    throw new AimassError(
      "INVALID_ARGUMENT",
      `Output ${quoted(output.name)} is ${output.datatype}, which JSON cannot carry.`,
      {
        reason: "BINARY_ONLY",
        field: output.name,
        remedy: 'Ask for it with "binary_data": true, or for all outputs with "binary_data_output": true.',
      },
    );
  }
  out.add(',"data":');
  writeList(
    out,
    elementTexts(output),
    0,
    output.shape.reduce((product, axis) => product * axis, 1),
  );
}

function writeParameters(parameters: Parameters | undefined, binaryDataSize?: number): string {
  const parts: string[] = [];
  for (const [name, parameter] of parameters ?? []) {
    if (name !== "binary_data_size") parts.push(`${JSON.stringify(name)}:${writeValue(parameter.value)}`);
  }
  if (binaryDataSize !== undefined) parts.push(`"binary_data_size":${binaryDataSize}`);
  return parts.join(",");
}

function writeValue(value: Json): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return JSON.stringify(String(value));
  return JSON.stringify(value);
}
