import type { Parameter, Parameters } from "./parameters.ts";
import type { InferRequest, InferResponse, RequestedOutput, Tensor } from "./tensor.ts";
import { WireWriter } from "./wire-writer.ts";

/** gRPC's prefix of a message: a flag and its length (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
const framePrefix = 5;

/** How an encoded message is to look. */
export interface EncodeOptions {
  /** True: the 5-byte gRPC prefix stands in front, in the same buffer. */
  readonly framed: boolean;
}

/** Encodes a ModelInferResponse with raw contents, which every client reads. */
export function encodeInferResponse(response: InferResponse, options: EncodeOptions = { framed: false }): Buffer {
  const writer = openWriter(sizeGuess(response.outputs), options);
  writeInferResponse(writer, response);
  return close(writer, options);
}

/** Encodes a ModelStreamInferResponse: an answer, or the error of one message of the stream. */
export function encodeStreamInferResponse(
  result: InferResponse | { readonly errorMessage: string },
  options: EncodeOptions = { framed: false },
): Buffer {
  if ("errorMessage" in result) {
    const writer = openWriter(result.errorMessage.length + 16, options);
    writer.textField(10, result.errorMessage);
    return close(writer, options);
  }
  const writer = openWriter(sizeGuess(result.outputs) + 16, options);
  const start = writer.begin(18);
  writeInferResponse(writer, result);
  writer.finish(start);
  return close(writer, options);
}

/** Encodes a ModelInferRequest with raw contents, for clients. */
export function encodeInferRequest(request: InferRequest, options: EncodeOptions = { framed: false }): Buffer {
  const writer = openWriter(sizeGuess(request.inputs) + 64 * request.outputs.length, options);
  writer.textField(10, request.modelName);
  writer.textField(18, request.modelVersion);
  writer.textField(26, request.id);
  writeParameters(writer, 34, request.parameters);
  for (const input of request.inputs) writeTensor(writer, 42, input);
  for (const output of request.outputs) writeRequestedOutput(writer, output);
  for (const input of request.inputs) writer.bytesField(58, input.bytes);
  return close(writer, options);
}

function writeInferResponse(writer: WireWriter, response: InferResponse): void {
  writer.textField(10, response.modelName);
  writer.textField(18, response.modelVersion);
  writer.textField(26, response.id);
  writeParameters(writer, 34, response.parameters);
  for (const output of response.outputs) writeTensor(writer, 42, output);
  for (const output of response.outputs) writer.bytesField(50, output.bytes);
}

function writeTensor(writer: WireWriter, tag: number, tensor: Tensor): void {
  const start = writer.begin(tag);
  writer.textField(10, tensor.name);
  writer.textField(18, tensor.datatype);
  if (tensor.shape.length > 0) {
    const shapeStart = writer.begin(26);
    for (const axis of tensor.shape) writer.varint(axis);
    writer.finish(shapeStart);
  }
  writeParameters(writer, 34, tensor.parameters);
  writer.finish(start);
}

function writeRequestedOutput(writer: WireWriter, output: RequestedOutput): void {
  const start = writer.begin(50);
  writer.textField(10, output.name);
  if (output.classification !== undefined && !output.parameters?.has("classification")) {
    writeParameter(writer, 18, "classification", { kind: "int64", value: BigInt(output.classification) });
  }
  writeParameters(writer, 18, output.parameters);
  writer.finish(start);
}

function writeParameters(writer: WireWriter, tag: number, parameters: Parameters | undefined): void {
  if (parameters === undefined || parameters.size === 0) return;
  for (const [name, parameter] of parameters) writeParameter(writer, tag, name, parameter);
}

function writeParameter(writer: WireWriter, tag: number, name: string, parameter: Parameter): void {
  const entry = writer.begin(tag);
  writer.textField(10, name);
  const value = writer.begin(18);
  switch (parameter.kind) {
    case "bool":
      writer.varint(8);
      writer.varint(parameter.value ? 1 : 0);
      break;
    case "int64":
      writer.varint(16);
      writer.bigVarint(parameter.value);
      break;
    case "string":
      writer.text(26, parameter.value);
      break;
    case "double":
      writer.varint(33);
      writer.double(parameter.value);
      break;
    case "uint64":
      writer.varint(40);
      writer.bigVarint(parameter.value);
  }
  writer.finish(value);
  writer.finish(entry);
}

function openWriter(capacity: number, options: EncodeOptions): WireWriter {
  return new WireWriter(capacity, options.framed ? framePrefix : 0);
}

function close(writer: WireWriter, options: EncodeOptions): Buffer {
  const bytes = writer.done();
  if (options.framed) {
    bytes[0] = 0;
    bytes.writeUInt32BE(bytes.length - framePrefix, 1);
  }
  return bytes;
}

/** Enough for names and shapes as they usually are, so that the buffer rarely grows. */
function sizeGuess(tensors: readonly Tensor[]): number {
  let size = 192;
  for (const tensor of tensors) size += 96 + tensor.name.length + tensor.shape.length * 5 + tensor.bytes.byteLength;
  return size;
}
