import { AimassError } from "@aimass/core";
import { Cells } from "./cell-meaning.ts";
import { defaultInflateLimit } from "./compression.ts";
import { formatShape, parseDatatype, quoted } from "./datatype.ts";
import { openObject } from "./decode-rest.ts";
import { ByteBudget } from "./element-sink.ts";
import { fitShape } from "./fit-shape.ts";
import { findFields } from "./json.ts";
import { badJson, type JsonRange } from "./json-reader.ts";
import { noParameters } from "./parameters.ts";
import { mismatch, PassedOver } from "./predict-columns.ts";
import type { Means } from "./predict-means.ts";
import { readRows } from "./predict-rows.ts";
import { inTensor, readNested, sinkFor } from "./read-values.ts";
import type { SignatureView, TensorSpecView } from "./signature.ts";
import type { InferRequest, Tensor } from "./tensor.ts";

/** A decoded POST /predict. */
export interface PredictCall {
  readonly request: InferRequest;
  /** Columns that are no inputs and were passed over, for the header `aimass-ignored-columns`; undefined: none. */
  readonly ignoredColumns: string | undefined;
  /** Whether the list of rows was empty: there is nothing to run. */
  readonly isEmpty: boolean;
}

/**
 * Decodes the body of POST /predict by the model's signature.
 *
 * - `{"text": "…"}` or `{"text": ["…", …]}`: the model's one BYTES input; a list fills its first dynamic axis.
 * - `{"inputs": […]}`: a model with one input. Data of the input's rank is taken as it is; axes of length 1 may be left out: n values for [-1,1] are n
 *   rows, what lacks axis 0 alone is one sample.
 * - `{"inputs": {"name": …, …}}`: each input by name, by the same rule; optional inputs may be left out.
 * - `{"inputs": [{"name": …, …}, …]}`: rows as a table has them, a column for each input. What a row leaves out, and null, is missing: NaN, or "".
 *
 * Cells mean what the signature says of their column; FP16 and BF16 inputs take numbers. Throws INVALID_ARGUMENT saying what the model takes,
 * RESOURCE_EXHAUSTED for tensors of more than `tensorLimit` bytes.
 */
export function decodePredict(
  body: Uint8Array,
  signature: SignatureView,
  modelName = "",
  modelVersion = "",
  tensorLimit = defaultInflateLimit,
): PredictCall {
  const reader = openObject(body);
  const { text, inputs } = findFields(reader, ["text", "inputs"]);
  reader.finish();
  if ((text === undefined) === (inputs === undefined)) {
    throw badJson(text === undefined ? 'it has neither "text" nor "inputs"' : 'it has both "text" and "inputs"');
  }
  const passedOver = new PassedOver();
  const means: Means = { reader, signature, budget: new ByteBudget(tensorLimit), passedOver };
  const tensors = text === undefined ? readInputs(means, inputs as JsonRange) : [readText(means, text)];
  const request = {
    modelName,
    modelVersion,
    id: "",
    parameters: noParameters,
    inputs: tensors ?? [],
    outputs: [],
  };
  return { request, ignoredColumns: passedOver.header, isEmpty: tensors === undefined };
}

/** Undefined for an empty list of rows. */
function readInputs(means: Means, { start }: JsonRange): Tensor[] | undefined {
  const { reader, signature } = means;
  reader.at = start;
  if (reader.kind() === "object") return readNamed(means);
  if (reader.kind() === "list") {
    reader.enter("list");
    const hasRows = reader.more("list", true);
    if (!hasRows && signature.inputs.every(({ shape, optional }) => optional === true || Number(shape[0] ?? 0) < 0)) {
      return undefined;
    }
    const isRows = hasRows && reader.kind() === "object";
    reader.at = start;
    if (isRows) return readRows(means);
  }
  return [readValues(means, onlyInput(signature))];
}

function readText({ reader, signature, budget }: Means, { start }: JsonRange): Tensor {
  const spec = textInput(signature);
  const sink = sinkFor("BYTES", { ...optionsOf(spec), budget, capacity: 1 });
  reader.at = start;
  readNested(reader, sink, '"text"');
  const shape = spec.shape.map(Number);
  const axis = shape.findIndex((size) => size < 0);
  const filled = shape.map((size, index) => (index === axis ? sink.count : Math.abs(size)));
  const count = filled.reduce((product, size) => product * size, 1);
  if (count === sink.count) return { name: spec.name, datatype: "BYTES", shape: filled, bytes: sink.finish() };
  const message = `Tensor ${quoted(spec.name)} of BYTES${formatShape(shape)} has ${sink.count} elements instead of ${count}.`;
  throw new AimassError("INVALID_ARGUMENT", message, {
    reason: "BAD_DATA",
    field: spec.name,
    remedy: "Send as many texts as the shape says.",
  });
}

function readNamed(means: Means): Tensor[] {
  const { reader, signature, passedOver } = means;
  const specs = new Map(signature.inputs.map((spec) => [spec.name, spec]));
  const places = new Map<string, number>();
  let hasUnknown = false;
  reader.enter("object");
  for (let isFirst = true; reader.more("object", isFirst); isFirst = false) {
    const name = reader.text(reader.key());
    const spec = specs.get(name);
    if (places.has(name)) throw mismatch(signature, `was given ${quoted(name)} twice`);
    const isAbsent = reader.kind() === "null" && spec?.optional === true;
    if (spec !== undefined && !isAbsent) places.set(name, reader.at);
    if (spec === undefined) passedOver.add(name);
    hasUnknown ||= spec === undefined;
    reader.skip();
  }
  if (places.size === 0 && hasUnknown) throw mismatch(signature, `has no input ${passedOver.names}`);
  return signature.inputs.flatMap((spec) => {
    const at = places.get(spec.name);
    if (at !== undefined) {
      reader.at = at;
      return [readValues(means, spec)];
    }
    if (spec.optional === true) return [];
    throw mismatch(signature, `needs the input ${quoted(spec.name)}`);
  });
}

/** The value of one input, with the axes that may be left out. */
function readValues({ reader, budget }: Means, spec: TensorSpecView): Tensor {
  const datatype = parseDatatype(spec.datatype, spec.name);
  const sink = sinkFor(datatype, { ...optionsOf(spec), budget, capacity: 16 });
  const given = readNested(reader, sink, `Input ${quoted(spec.name)}`);
  const declared = spec.shape.map(Number);
  const shape = fitShape(given, declared);
  if (shape !== undefined) return { name: spec.name, datatype, shape, bytes: sink.finish() };
  const message = `Input ${quoted(spec.name)} of ${spec.datatype}${formatShape(declared)} was given data of ${given.length} axes.`;
  throw new AimassError("INVALID_ARGUMENT", message, {
    reason: "BAD_SHAPE",
    field: spec.name,
    remedy: "Nest the values as the shape says (-1 is any length), or leave axis 0 out for one sample.",
  });
}

function optionsOf(spec: TensorSpecView) {
  const datatype = parseDatatype(spec.datatype, spec.name);
  return {
    place: inTensor({ name: spec.name, datatype }),
    cells: spec.cells === undefined ? ("any" as const) : new Cells(spec.cells),
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
