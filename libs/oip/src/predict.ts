import { AimassError } from "@aimass/core";
import { type Datatype, formatShape, parseDatatype, quoted } from "./datatype.ts";
import { badJson, field, isArray, isObject, type Json, type JsonObject, parseExact, parseJsonObject } from "./json.ts";
import { bytesFromJson, jsonFromTensor, writeJsonList } from "./json-elements.ts";
import { noParameters } from "./parameters.ts";
import type { SignatureView, TensorSpecView } from "./signature.ts";
import type { InferRequest, InferResponse, Tensor } from "./tensor.ts";

/**
 * Decodes the body of POST /predict by the model's signature.
 *
 * - `{"text": "…"}` or `{"text": ["…", …]}`: the model's one BYTES input; a list fills its first dynamic axis.
 * - `{"inputs": […]}`: a model with one input. Data of the input's rank is taken as it is; one axis less is one sample, for which axis 0
 *   (dynamic or 1) is added.
 * - `{"inputs": {"name": …, …}}`: each input by name, by the same rule; optional inputs may be left out.
 * - `{"inputs": [{"name": …, …}, …]}`: rows, for a model whose inputs have one value a row. What a row leaves out, and null, is missing: NaN, or "".
 *
 * FP16 and BF16 inputs take numbers here. Throws INVALID_ARGUMENT saying what the model takes.
 */
export function decodePredict(
  body: Uint8Array,
  signature: SignatureView,
  modelName = "",
  modelVersion = "",
): InferRequest {
  const { text, json } = parseJsonObject(body);
  const hasLong = signature.inputs.some((input) => input.datatype === "INT64" || input.datatype === "UINT64");
  const exact = (hasLong ? parseExact(text) : undefined) ?? json;
  return {
    modelName,
    modelVersion,
    id: "",
    parameters: noParameters,
    inputs: readInputs(exact, signature),
    outputs: [],
  };
}

/**
 * Encodes the answer of POST /predict: `{"predictions": […]}` with one entry a sample, along axis 0. One output: its values, nested as
 * its further axes; several: an object by output name for each sample, or one object of whole outputs when their axes 0 differ.
 */
export function encodePredict(response: InferResponse): Buffer {
  const { outputs } = response;
  const [only] = outputs;
  if (outputs.length === 1 && only !== undefined) return predictions(rowsOf(only));
  const lengths = new Set(outputs.map((output) => output.shape[0] ?? -1));
  if (lengths.size === 1 && !lengths.has(-1)) {
    const rows = outputs.map((output) => rowsOf(output));
    const count = outputs[0]?.shape[0] ?? 0;
    return predictions(
      Array.from({ length: count }, (_, sample) => writeObject(outputs, (index) => rows[index]?.[sample] ?? "null")),
    );
  }
  const whole = outputs.map((output) => {
    const rows = rowsOf(output);
    return output.shape.length === 0 ? (rows[0] ?? "null") : `[${rows.join(",")}]`;
  });
  return predictions(outputs.length === 0 ? [] : [writeObject(outputs, (index) => whole[index] ?? "null")]);
}

function readInputs(json: JsonObject, signature: SignatureView): Tensor[] {
  const text = field(json, "text");
  const inputs = field(json, "inputs");
  if ((text === undefined) === (inputs === undefined)) {
    throw badJson(text === undefined ? 'it has neither "text" nor "inputs"' : 'it has both "text" and "inputs"');
  }
  if (text !== undefined) return [readText(text, textInput(signature))];
  if (isObject(inputs)) return readNamed(inputs, signature);
  if (isArray(inputs) && inputs.length > 0 && inputs.every(isObject)) {
    return readNamed(columnsOf(inputs as readonly JsonObject[]), signature);
  }
  return [readValues(inputs as Json, onlyInput(signature))];
}

function readText(text: Json, spec: TensorSpecView): Tensor {
  const texts = isArray(text) ? text : [text];
  const shape = spec.shape.map(Number);
  const axis = shape.findIndex((size) => size < 0);
  const filled = shape.map((size, index) => (index === axis ? texts.length : size < 0 ? 1 : size));
  return toTensor(spec, filled, texts);
}

function readNamed(inputs: JsonObject, signature: SignatureView): Tensor[] {
  for (const name of Object.keys(inputs)) {
    if (signature.inputs.some((spec) => spec.name === name)) continue;
    throw mismatch(signature, `has no input ${quoted(name)}`);
  }
  return signature.inputs.flatMap((spec) => {
    const value = field(inputs, spec.name);
    if (value !== undefined) return [readValues(value, spec)];
    if (spec.optional === true) return [];
    throw mismatch(signature, `needs the input ${quoted(spec.name)}`);
  });
}

/** Rows as columns; what a row does not have is null. */
function columnsOf(rows: readonly JsonObject[]): JsonObject {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return Object.fromEntries([...names].map((name) => [name, rows.map((row) => field(row, name) ?? null)]));
}

function readValues(value: Json, spec: TensorSpecView): Tensor {
  const declared = spec.shape.map(Number);
  const given = nestedShape(value);
  if (given.length === declared.length) return toTensor(spec, given, value);
  const first = declared[0] ?? 0;
  if (given.length === declared.length - 1 && (first < 0 || first === 1)) return toTensor(spec, [1, ...given], [value]);
  const message = `Input ${quoted(spec.name)} of ${spec.datatype}${formatShape(declared)} was given data of ${given.length} axes.`;
  throw new AimassError("INVALID_ARGUMENT", message, {
    reason: "BAD_SHAPE",
    field: spec.name,
    remedy: "Nest the values as the shape says (-1 is any length), or leave axis 0 out for one sample.",
  });
}

/** Lengths along the first entry of each level; unequal rows are found when the elements are read. */
function nestedShape(value: Json): number[] {
  const shape: number[] = [];
  for (let level: Json | undefined = value; isArray(level) && shape.length < 64; level = level[0])
    shape.push(level.length);
  return shape;
}

function toTensor(spec: TensorSpecView, shape: readonly number[], data: Json): Tensor {
  const datatype: Datatype = parseDatatype(spec.datatype, spec.name);
  return {
    name: spec.name,
    datatype,
    shape,
    bytes: bytesFromJson(data, { name: spec.name, datatype, shape, nullIsEmpty: true }),
  };
}

function textInput(signature: SignatureView): TensorSpecView {
  const texts = signature.inputs.filter((input) => input.datatype === "BYTES");
  const others = signature.inputs.filter((input) => input.datatype !== "BYTES" && input.optional !== true);
  const [only] = texts;
  if (texts.length === 1 && others.length === 0 && only !== undefined) return only;
  throw mismatch(signature, 'does not take "text"');
}

function onlyInput(signature: SignatureView): TensorSpecView {
  const required = signature.inputs.filter((input) => input.optional !== true);
  const candidates = required.length > 0 ? required : signature.inputs;
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) return only;
  throw mismatch(signature, `has ${signature.inputs.length} inputs, to be given as an object by name`);
}

function mismatch(signature: SignatureView, what: string): AimassError {
  const takes = signature.inputs
    .map((input) => `${input.name} ${input.datatype}${formatShape(input.shape)}`)
    .join(", ");
  return new AimassError("INVALID_ARGUMENT", `The model ${what}.`, {
    reason: "SIGNATURE_MISMATCH",
    remedy: takes === "" ? "It takes no inputs." : `It takes ${takes}.`,
  });
}

/** JSON text of each entry along axis 0; a scalar is one entry. */
function rowsOf(tensor: Tensor): string[] {
  const values = jsonFromTensor(tensor);
  const [count = 1, ...inner] = tensor.shape;
  const size = count === 0 ? 0 : values.length / count;
  return Array.from({ length: count }, (_, row) => nest(values.slice(row * size, (row + 1) * size), inner));
}

function nest(values: readonly Json[], shape: readonly number[]): string {
  if (shape.length === 0) return writeJsonList(values).slice(1, -1);
  if (shape.length === 1) return writeJsonList(values);
  const [count = 0, ...inner] = shape;
  const size = count === 0 ? 0 : values.length / count;
  const rows = Array.from({ length: count }, (_, row) => nest(values.slice(row * size, (row + 1) * size), inner));
  return `[${rows.join(",")}]`;
}

function writeObject(outputs: readonly Tensor[], value: (index: number) => string): string {
  return `{${outputs.map((output, index) => `${JSON.stringify(output.name)}:${value(index)}`).join(",")}}`;
}

function predictions(rows: readonly string[]): Buffer {
  return Buffer.from(`{"predictions":[${rows.join(",")}]}`);
}
