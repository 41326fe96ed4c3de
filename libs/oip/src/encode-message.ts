import type { Parameter, Parameters } from "./parameters.ts";
import type { InferRequest, InferResponse, RequestedOutput, Tensor } from "./tensor.ts";
import { WireWriter } from "./wire-writer.ts";

/** gRPC's prefix of a message: a flag and its length (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
const framePrefix = 5;

/** Outputs of so many bytes are pieces of their own: small ones are copied more cheaply than sent apart, unless they are many. */
function ownPieceFrom(outputs: readonly Tensor[]): number {
  const size = outputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  return size < 4 * 1024 * 1024 ? 64 * 1024 : 1024;
}

/** How an encoded message is to look. */
export interface EncodeOptions {
  /** True: the 5-byte gRPC prefix stands in front, in the same buffer. */
  readonly framed: boolean;
}

/** Encodes a ModelInferResponse with raw contents, which every client reads. */
export function encodeInferResponse(response: InferResponse, options: EncodeOptions = { framed: false }): Buffer {
  return Buffer.concat(inferResponsePieces(response, options));
}

/** `encodeInferResponse` in pieces: large outputs are not copied, and are to be left as they are until the pieces are sent. */
export function inferResponsePieces(response: InferResponse, options: EncodeOptions): Uint8Array[] {
  const prefix = options.framed ? framePrefix : 0;
  const ownFrom = ownPieceFrom(response.outputs);
  const writer = new WireWriter(sizeGuess(response.outputs, ownFrom), prefix);
  writeAnswerHead(writer, response);
  const pieces = rawPieces(writer, response.outputs, ownFrom);
  if (options.framed) writeFrame(pieces[0] as Buffer, sizeOf(pieces) - prefix);
  return pieces;
}

/** Encodes a ModelStreamInferResponse: an answer, or the error of one message of the stream. */
export function encodeStreamInferResponse(
  result: InferResponse | { readonly errorMessage: string },
  options: EncodeOptions = { framed: false },
): Buffer {
  return Buffer.concat(streamInferResponsePieces(result, options));
}

/** `encodeStreamInferResponse` in pieces, as `inferResponsePieces` has them. */
export function streamInferResponsePieces(
  result: InferResponse | { readonly errorMessage: string },
  options: EncodeOptions,
): Uint8Array[] {
  if ("errorMessage" in result) {
    const writer = openWriter(result.errorMessage.length + 16, options);
    writer.textField(10, result.errorMessage);
    return [close(writer, options)];
  }
  const inner = inferResponsePieces(result, { framed: false });
  const length = sizeOf(inner);
  const writer = openWriter(16, options);
  writer.varint(18);
  writer.varint(length);
  const head = writer.done();
  if (options.framed) writeFrame(head, head.length - framePrefix + length);
  return [head, ...inner];
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

/** All of an answer but its raw contents. */
function writeAnswerHead(writer: WireWriter, response: InferResponse): void {
  writer.textField(10, response.modelName);
  writer.textField(18, response.modelVersion);
  writer.textField(26, response.id);
  writeParameters(writer, 34, response.parameters);
  for (const output of response.outputs) writeTensor(writer, 42, output);
}

/** What the writer holds, and the raw contents behind it. */
function rawPieces(head: WireWriter, outputs: readonly Tensor[], ownFrom: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let writer = head;
  for (const { bytes } of outputs) {
    if (bytes.byteLength < ownFrom) {
      writer.bytesField(50, bytes);
      continue;
    }
    writer.varint(50);
    writer.varint(bytes.byteLength);
    pieces.push(writer.done(), bytes);
    writer = new WireWriter(0);
  }
  const rest = writer.done();
  if (rest.length > 0 || pieces.length === 0) pieces.push(rest);
  return pieces;
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
  if (options.framed) writeFrame(bytes, bytes.length - framePrefix);
  return bytes;
}

function writeFrame(bytes: Buffer, length: number): void {
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** Enough for names and shapes as they usually are, so that the buffer rarely grows. `most`: tensors of so many bytes are not among it. */
function sizeGuess(tensors: readonly Tensor[], most = Number.POSITIVE_INFINITY): number {
  let size = 192;
  for (const { name, shape, bytes } of tensors)
    size += 96 + name.length + shape.length * 5 + (bytes.byteLength < most ? bytes.byteLength : 0);
  return size;
}
