import { isUtf8 } from "node:buffer";
import { AimassError } from "@aimass/core";
import { bytesFromElements } from "./bytes-elements.ts";
import { defaultInflateLimit, inflateSync } from "./compression.ts";
import { elementCount, elementSize, formatShape, parseDatatype, quoted } from "./datatype.ts";
import { checkUnique, refuseSharedMemory, requestedOutput } from "./decode-request.ts";
import { ByteBudget } from "./element-sink.ts";
import { describe, field, findFields, isArray, isObject, type Json, treeAt } from "./json.ts";
import { badJson, type JsonRange, JsonReader } from "./json-reader.ts";
import { booleanParameter, integerParameter, noParameters, type Parameter, type Parameters } from "./parameters.ts";
import { mostParameters } from "./read-parameters.ts";
import { checkByteLength } from "./read-tensor.ts";
import { readData } from "./read-values.ts";
import type { SignatureView } from "./signature.ts";
import type { InferRequest, RequestedOutput, Tensor } from "./tensor.ts";
import { longestName } from "./wire-reader.ts";

/** The headers that decide how a REST body is read. */
export interface RestHeaders {
  /** Inference-Header-Content-Length: bytes of JSON in front of the binary data; 0: no JSON, the body is the one input. */
  readonly contentLengthHeader?: number;
  /** Content-Encoding: gzip, deflate or nothing. */
  readonly contentEncoding?: string;
  /** Largest size a compressed body may unfold to, in bytes. */
  readonly inflateLimit?: number;
}

/** Inputs, and outputs, a request may name; no model has more. */
const mostTensors = 16_384;

/** A decoded REST request with what the answer must know of it. */
export interface RestInfer {
  readonly request: InferRequest;
  /** Whether outputs that do not say travel binary. */
  readonly binaryByDefault: boolean;
}

/** A cursor over the binary data behind the JSON. */
class BinaryTail {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  take(size: number, name: string): Uint8Array {
    if (size > this.left) {
      const message = `Input ${quoted(name)} says binary_data_size ${size}, but ${this.left} bytes are left in the body.`;
      throw new AimassError("INVALID_ARGUMENT", message, {
        reason: "BINARY_DATA_TOO_SHORT",
        field: name,
        remedy:
          "Binary data follows the JSON in the order of the inputs; Inference-Header-Content-Length is the JSON's length.",
      });
    }
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  get left(): number {
    return this.bytes.byteLength - this.at;
  }
}

/**
 * Decodes the body of POST /v2/models/{model}[/versions/{version}]/infer: JSON, or JSON with binary tensor data behind it.
 * A body without JSON (header 0) needs the model's signature, which must have one input with at most one dynamic axis beside the batch.
 * Throws INVALID_ARGUMENT naming the tensor; RESOURCE_EXHAUSTED when a compressed body unfolds past its limit.
 */
export function decodeRestInfer(
  body: Uint8Array,
  headers: RestHeaders,
  modelName: string,
  modelVersion: string,
  signature?: SignatureView,
): RestInfer {
  const plain = inflateSync(body, headers.contentEncoding, headers.inflateLimit);
  const jsonLength = headers.contentLengthHeader ?? plain.byteLength;
  if (headers.contentLengthHeader === 0) return wholeBodyInput(plain, modelName, modelVersion, signature);
  if (!(Number.isSafeInteger(jsonLength) && jsonLength >= 0 && jsonLength <= plain.byteLength)) {
    throw new AimassError(
      "INVALID_ARGUMENT",
      `Inference-Header-Content-Length is ${jsonLength}, but the body has ${plain.byteLength} bytes.`,
      { reason: "BAD_HEADER_LENGTH", remedy: "It is the number of bytes of JSON in front of the binary data." },
    );
  }
  const reader = openObject(plain.subarray(0, jsonLength));
  const fields = findFields(reader, ["id", "parameters", "inputs", "outputs"]);
  reader.finish();
  const tail = new BinaryTail(plain.subarray(jsonLength));
  const parameters = readParameters(treeAt(reader, fields.parameters, '"parameters"'), "parameters");
  const budget = new ByteBudget(headers.inflateLimit ?? defaultInflateLimit);
  const inputs = readInputs(reader, fields.inputs, { tail, budget });
  if (tail.left > 0) {
    throw new AimassError("INVALID_ARGUMENT", `The body has ${tail.left} bytes that belong to no input.`, {
      reason: "TRAILING_BYTES",
      remedy: "Give each binary input its binary_data_size.",
    });
  }
  const id = treeAt(reader, fields.id, '"id"');
  if (id !== undefined && typeof id !== "string") throw badJson(`"id" is ${describe(id)} instead of a string`);
  const outputs = readOutputs(treeAt(reader, fields.outputs, '"outputs"'));
  if ((id?.length ?? 0) > longestName) throw badJson(`"id" has ${id?.length} characters, more than ${longestName}`);
  return {
    request: { modelName, modelVersion, id: id ?? "", parameters, inputs, outputs },
    binaryByDefault: booleanParameter(parameters, "binary_data_output") ?? false,
  };
}

/** A reader of a body that is one object. Throws INVALID_ARGUMENT for anything else. */
export function openObject(body: Uint8Array): JsonReader {
  if (!isUtf8(body)) throw badJson("it is not UTF-8");
  const reader = new JsonReader(body);
  const kind = reader.kind();
  if (kind === "object") return reader;
  if (kind === "nothing") throw reader.broken();
  reader.skip();
  reader.finish();
  throw badJson("it is not an object");
}

/** What the inputs of one request share. */
interface BodyParts {
  readonly tail: BinaryTail;
  readonly budget: ByteBudget;
}

function readInputs(reader: JsonReader, range: JsonRange | undefined, parts: BodyParts): Tensor[] {
  if (range === undefined) throw badJson('it has no "inputs"');
  reader.at = range.start;
  if (reader.kind() !== "list") throw badJson(`"inputs" is a ${reader.kind()} instead of a list`);
  const inputs: Tensor[] = [];
  reader.enter("list");
  for (let isFirst = true; reader.more("list", isFirst); isFirst = false) {
    if (inputs.length === mostTensors) throw badJson(`it has more than ${mostTensors} inputs`);
    inputs.push(readInput(reader, inputs.length, parts));
  }
  checkUnique(inputs, "input");
  return inputs;
}

function readInput(reader: JsonReader, index: number, { tail, budget }: BodyParts): Tensor {
  if (reader.kind() !== "object") {
    throw badJson(`inputs[${index}] is a ${reader.kind()} instead of an object`);
  }
  const fields = findFields(reader, ["name", "datatype", "shape", "parameters", "data"]);
  const { at } = reader;
  const name = treeAt(reader, fields.name, `inputs[${index}].name`);
  if (typeof name !== "string") throw badJson(`inputs[${index}].name is ${describe(name)} instead of a string`);
  if (name.length > longestName) {
    throw badJson(`inputs[${index}].name has ${name.length} characters, more than ${longestName}`);
  }
  const given = treeAt(reader, fields.datatype, `inputs[${index}].datatype`);
  const datatype = parseDatatype(typeof given === "string" ? given : "", name);
  const shape = readShape(treeAt(reader, fields.shape, `the shape of ${quoted(name)}`), name);
  const parameters = readParameters(treeAt(reader, fields.parameters, `the parameters of ${quoted(name)}`), name);
  refuseSharedMemory(name, parameters);
  const size = parameters.has("binary_data_size") ? integerParameter(parameters, "binary_data_size") : -1;
  if (size === undefined || size < -1) throw badJson(`inputs[${index}] has a "binary_data_size" that is no length`);
  let bytes: Uint8Array;
  if (size >= 0) {
    if (fields.data !== undefined) throw badJson(`inputs[${index}] has both "data" and "binary_data_size"`);
    bytes = tail.take(size, name);
    checkByteLength(name, datatype, shape, bytes);
  } else {
    if (datatype === "FP16" || datatype === "BF16") throw halfInJson(name, datatype);
    bytes = readData(reader, fields.data, { name, datatype, shape }, budget);
  }
  reader.at = at;
  return { name, datatype, shape, bytes, parameters };
}

function readOutputs(json: Json | undefined): RequestedOutput[] {
  if (json !== undefined && !isArray(json)) throw badJson(`"outputs" is ${describe(json)} instead of a list`);
  if ((json?.length ?? 0) > mostTensors) throw badJson(`it asks for more than ${mostTensors} outputs`);
  const outputs = (json ?? []).map((output, index): RequestedOutput => {
    if (!isObject(output)) throw badJson(`outputs[${index}] is ${describe(output)} instead of an object`);
    const name = field(output, "name");
    if (typeof name !== "string") throw badJson(`outputs[${index}].name is ${describe(name)} instead of a string`);
    if (name.length > longestName) {
      throw badJson(`outputs[${index}].name has ${name.length} characters, more than ${longestName}`);
    }
    const parameters = readParameters(field(output, "parameters"), name);
    const binary = booleanParameter(parameters, "binary_data");
    const requested = requestedOutput(name, parameters);
    return binary === undefined ? requested : { ...requested, binary };
  });
  checkUnique(outputs, "output");
  return outputs;
}

/** The body is the one input's data: batch 1, a dynamic axis as long as the data makes it; BYTES is one element. */
function wholeBodyInput(
  body: Uint8Array,
  modelName: string,
  modelVersion: string,
  signature: SignatureView | undefined,
): RestInfer {
  const required = signature?.inputs.filter((input) => input.optional !== true) ?? [];
  const spec = required.length === 1 ? required[0] : signature?.inputs.length === 1 ? signature.inputs[0] : undefined;
  if (spec === undefined) {
    throw new AimassError("INVALID_ARGUMENT", "A body without JSON needs a model with exactly one input.", {
      reason: "NOT_ONE_INPUT",
      remedy: "Describe the inputs in JSON and give its length in Inference-Header-Content-Length.",
    });
  }
  const datatype = parseDatatype(spec.datatype, spec.name);
  const bytes = datatype === "BYTES" ? bytesFromElements([body]) : body;
  const shape = wholeBodyShape(
    spec.name,
    spec.shape.map(Number),
    datatype === "BYTES" ? 1 : body.byteLength / elementSize(datatype),
  );
  checkByteLength(spec.name, datatype, shape, bytes);
  const inputs = [{ name: spec.name, datatype, shape, bytes }];
  const request = { modelName, modelVersion, id: "", parameters: noParameters, inputs, outputs: [] };
  return { request, binaryByDefault: true };
}

function wholeBodyShape(name: string, declared: readonly number[], elements: number): number[] {
  const shape = declared.map((axis, index) => (index === 0 && axis < 0 ? 1 : axis));
  if (declared.length === 1 && (declared[0] as number) < 0) return [Math.floor(elements)];
  const dynamic = shape.filter((axis) => axis < 0).length;
  if (dynamic > 1) {
    throw new AimassError("INVALID_ARGUMENT", `Input ${quoted(name)} has shape ${formatShape(declared)}.`, {
      reason: "SHAPE_UNKNOWN",
      field: name,
      remedy: "Its shape cannot be told from the data alone: describe the input in JSON.",
    });
  }
  const fixed = elementCount(
    shape.map((axis) => (axis < 0 ? 1 : axis)),
    name,
  );
  return shape.map((axis) => (axis < 0 ? Math.floor(elements / Math.max(1, fixed)) : axis));
}

function readShape(shape: Json | undefined, name: string): number[] {
  if (!isArray(shape)) throw badJson(`the shape of ${quoted(name)} is ${describe(shape)} instead of a list`);
  const axes = shape.map((axis) => (typeof axis === "number" ? axis : Number.NaN));
  elementCount(axes, name);
  return axes;
}

function readParameters(json: Json | undefined, of: string): Parameters {
  if (json === undefined || json === null) return noParameters;
  if (!isObject(json)) throw badJson(`the parameters of ${quoted(of)} are ${describe(json)} instead of an object`);
  const entries = Object.entries(json);
  if (entries.length > mostParameters) {
    throw badJson(`the parameters of ${quoted(of)} are more than ${mostParameters}`);
  }
  const parameters = new Map<string, Parameter>();
  for (const [name, value] of entries) {
    const parameter = parameterOf(value);
    if (parameter !== undefined) parameters.set(name, parameter);
  }
  return parameters;
}

/** Lists, objects and null say nothing the protocol could carry: they are passed over, as unknown parameters are. */
function parameterOf(value: Json): Parameter | undefined {
  if (typeof value === "boolean") return { kind: "bool", value };
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "bigint") return int64Parameter(value);
  if (typeof value !== "number") return undefined;
  return Number.isSafeInteger(value) ? { kind: "int64", value: BigInt(value) } : { kind: "double", value };
}

function int64Parameter(value: bigint): Parameter {
  if (BigInt.asIntN(64, value) === value) return { kind: "int64", value };
  if (BigInt.asUintN(64, value) === value) return { kind: "uint64", value };
  return { kind: "double", value: Number(value) };
}

function halfInJson(name: string, datatype: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `Tensor ${quoted(name)} of ${datatype} has its data in JSON.`, {
    reason: "BINARY_ONLY",
    field: name,
    remedy: `${datatype} travels only as binary data: give "binary_data_size" and append the bytes to the JSON.`,
  });
}
