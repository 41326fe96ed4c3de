import { isUtf8 } from "node:buffer";
import { AimassError } from "@aimass/core";
import { defaultInflateLimit } from "./compression.ts";
import { formatShape, quoted } from "./datatype.ts";
import { openObject } from "./decode-rest.ts";
import { ByteBudget } from "./element-sink.ts";
import { InputNames } from "./input-names.ts";
import { findFields } from "./json.ts";
import { badJson, type JsonRange, JsonReader } from "./json-reader.ts";
import { noParameters } from "./parameters.ts";
import { mismatch, PassedOver } from "./predict-columns.ts";
import type { Means } from "./predict-means.ts";
import { readRows } from "./predict-rows.ts";
import { readInstances, readRecords, readSplit } from "./predict-table.ts";
import { onlyInput, readValues, sinkOptionsOf } from "./predict-values.ts";
import { readNested, sinkFor } from "./read-values.ts";
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
 * - `{"instances": […]}`, or the list as the body: rows by name as above, lists of cells in the order of the inputs, or values of the one input; axis 0 is
 *   always the rows.
 * - `{"dataframe_split": {"columns": […], "data": [[…], …]}}`, `{"dataframe_records": [{…}, …]}`: tables as pandas and MLflow write them.
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
  const reader = openBody(body);
  const passedOver = new PassedOver();
  const means: Means = { reader, signature, budget: new ByteBudget(tensorLimit), passedOver };
  const tensors = readBody(means);
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

/** What a body may say its rows by. */
const forms = ["text", "inputs", "instances", "dataframe_split", "dataframe_records"] as const;

/** Undefined for a table without rows. */
function readBody(means: Means): Tensor[] | undefined {
  const { reader } = means;
  const isRows = reader.kind() === "list";
  const found = isRows ? {} : findFields(reader, forms);
  const rows = isRows ? reader.skip() : undefined;
  reader.finish();
  if (rows !== undefined) return readInstances(means, rows, "the body");
  const given = forms.filter((form) => found[form] !== undefined);
  const [form, another] = given;
  if (form === undefined) {
    throw badJson('it has neither "text" nor "inputs", "instances", "dataframe_split" or "dataframe_records"');
  }
  if (another !== undefined) throw badJson(`it has both "${form}" and "${another}"`);
  return readForm(means, form, found[form] as JsonRange);
}

function readForm(means: Means, form: (typeof forms)[number], range: JsonRange): Tensor[] | undefined {
  switch (form) {
    case "text":
      return [readText(means, range)];
    case "inputs":
      return readInputs(means, range);
    case "instances":
      return readInstances(means, range, '"instances"');
    case "dataframe_split":
      return readSplit(means, range);
    case "dataframe_records":
      return readRecords(means, range);
  }
}

/** A reader at a body that is an object or a list. */
function openBody(body: Uint8Array): JsonReader {
  if (!isUtf8(body)) throw badJson("it is not UTF-8");
  const reader = new JsonReader(body);
  return reader.kind() === "list" ? reader : openObject(body);
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
  const sink = sinkFor("BYTES", { ...sinkOptionsOf(spec), budget, capacity: 1 });
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
  const inputs = new InputNames(signature.inputs, (spec) => spec.name);
  const places = new Map<string, number>();
  let hasUnknown = false;
  reader.enter("object");
  for (let isFirst = true; reader.more("object", isFirst); isFirst = false) {
    const given = reader.text(reader.key());
    const spec = inputs.find(given);
    const name = spec?.name ?? given;
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

function textInput(signature: SignatureView): TensorSpecView {
  const texts = signature.inputs.filter((input) => input.datatype === "BYTES");
  const others = signature.inputs.filter((input) => input.datatype !== "BYTES" && input.optional !== true);
  const [only] = texts;
  if (texts.length === 1 && others.length === 0 && only !== undefined) return only;
  throw mismatch(signature, 'does not take "text"');
}
