import { readFileSync } from "node:fs";
import { AimassError } from "@aimass/core";
import { decodeImage, defaultLimits } from "@aimass/datasets";
import { type Cells, fitShape } from "@aimass/oip";
import { parseExact } from "./exact-json.ts";
import type { InputTensor, RestMetadata, RestTensor } from "./rest-inference.ts";
import { readTextFile } from "./text-file.ts";

type InputSpec = RestMetadata["inputs"][number];

/** What an example may take from a version: the categories that its columns had in training, most frequent first, by input. */
export type KnownCategories = ReadonlyMap<string, readonly string[]>;

/** How the columns of a version are read: what a day or a truth value is written as, by input. */
export type KnownCells = ReadonlyMap<string, Cells>;

/** Inputs that fit the metadata: dynamic axes are 1, numbers 0.5 or 1, strings the most frequent category, else the given text. */
export function exampleInputs(
  metadata: RestMetadata,
  text = "How are you?",
  categories: KnownCategories = new Map(),
): RestTensor[] {
  return metadata.inputs.map(({ name, datatype, shape }) => {
    const fixed = shape.map((axis) => (axis < 0 ? 1 : axis));
    const count = fixed.reduce((product, axis) => product * axis, 1);
    const element =
      datatype === "BYTES"
        ? (categories.get(name)?.[0] ?? text)
        : datatype === "BOOL"
          ? true
          : /^(FP|BF)/.test(datatype)
            ? 0.5
            : 1;
    return { name, datatype, shape: fixed, data: Array.from({ length: count }, () => element) };
  });
}

/** The text for a model that takes one. Errors: INVALID_ARGUMENT for a model of anything else: the text would be in no input. */
export function textInputs(metadata: RestMetadata, text: string): RestTensor[] {
  const [first, ...others] = metadata.inputs;
  if (first?.datatype === "BYTES" && others.length === 0) return exampleInputs(metadata, text);
  const inputs = metadata.inputs.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.join(",")}]`);
  throw new AimassError(
    "INVALID_ARGUMENT",
    `--text is for a model of one string; this one takes ${inputs.join(", ")}.`,
    {
      remedy: `Give each as --input ${first?.name ?? "name"}=VALUE.`,
    },
  );
}

/**
 * Inputs as they were typed: one JSON object or @file.json with all of them, or name=value for each, where a value is a text, a number, JSON, or
 * @file; a file that is a PNG or JPEG becomes its pixels. A text for an input of numbers is read as its column was in training, which `cells` is asked for:
 * a day, a word that means true, a gap. Errors: INVALID_ARGUMENT, NOT_FOUND.
 */
export async function readInputs(
  metadata: RestMetadata,
  typed: readonly string[],
  cells: () => Promise<KnownCells> = async () => new Map(),
): Promise<InputTensor[]> {
  const inputs = new Map<string, InputTensor>();
  for (const argument of typed) {
    const [, name, value] = /^([^={[@]+)=([\s\S]*)$/.exec(argument) ?? [];
    if (name === undefined || value === undefined)
      for (const tensor of allInputs(metadata, argument)) put(inputs, tensor);
    else put(inputs, await namedInput(inputNamed(metadata, name), value));
  }
  const tensors = [...inputs.values()];
  if (!tensors.some(hasTexts)) return tensors;
  const known = await cells();
  return tensors.map((tensor) => (hasTexts(tensor) ? withNumbers(tensor, known.get(tensor.name)) : tensor));
}

/** Adds an input. Errors: INVALID_ARGUMENT for one that was given before. */
function put(inputs: Map<string, InputTensor>, tensor: InputTensor): void {
  if (inputs.has(tensor.name))
    throw new AimassError("INVALID_ARGUMENT", `The input "${tensor.name}" was given twice.`, {
      remedy: "Give every input once; several rows go as --input '{\"name\": [[1], [2]]}', or in a file.",
    });
  inputs.set(tensor.name, tensor);
}

/** Whether texts stand where numbers must. */
function hasTexts(tensor: InputTensor): tensor is RestTensor {
  return "data" in tensor && isNumber(tensor.datatype) && tensor.data.some((value) => typeof value === "string");
}

function withNumbers(tensor: RestTensor, cells: Cells | undefined): RestTensor {
  const data = tensor.data.map((value) => {
    if (typeof value !== "string") return value;
    const number = cells?.numberOfText(value);
    if (number === undefined) throw noNumber(tensor, value, cells);
    return Number.isNaN(number) ? null : number;
  });
  return { ...tensor, data };
}

function noNumber({ name, datatype }: RestTensor, value: string, cells: Cells | undefined): AimassError {
  const isDay = cells?.kind === "date" || cells?.kind === "datetime";
  const example = isDay ? cells.exampleDay : cells?.kind === "boolean" ? "true" : "1";
  return new AimassError(
    "INVALID_ARGUMENT",
    `Input ${name} is ${datatype}; ${JSON.stringify(value)} is no value of it.`,
    {
      remedy: `Write it like ${/\s/.test(example) ? JSON.stringify(`${name}=${example}`) : `${name}=${example}`}.`,
    },
  );
}

/** "{"x": [[1, 2, 3]]}" or "@file.json". */
function allInputs(metadata: RestMetadata, argument: string): RestTensor[] {
  const text = argument.startsWith("@") ? readTextFile(argument.slice(1)) : argument;
  const values = parsed(text, metadata.inputs[0]?.name);
  if (typeof values !== "object" || values === null || Array.isArray(values))
    throw new AimassError("INVALID_ARGUMENT", "The input is JSON, but no object of inputs by name.", {
      remedy: `Write it like '{"${metadata.inputs[0]?.name ?? "x"}": [[1, 2, 3]]}'.`,
    });
  for (const name of Object.keys(values)) inputNamed(metadata, name);
  return metadata.inputs
    .filter((input) => (values as Record<string, unknown>)[input.name] !== undefined)
    .map((input) => tensorOf(input, (values as Record<string, unknown>)[input.name]));
}

async function namedInput(input: InputSpec, value: string): Promise<InputTensor> {
  if (value.startsWith("@") && /\.(png|jpe?g)$/i.test(value)) return imageTensor(input, value.slice(1));
  const text = value.startsWith("@") ? readTextFile(value.slice(1)) : value;
  if (input.datatype === "BYTES" && !text.trimStart().startsWith("[")) return fitted(input, text);
  // A day is no JSON.
  const isWord =
    isNumber(input.datatype) && !/^\s*(["[{]|[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*$|(true|false|null)\s*$)/.test(text);
  return fitted(input, isWord ? text.trim() : parsed(text, input.name));
}

/** UINT8 [1, height, width, 3]: rows of red, green, blue. */
async function imageTensor(input: InputSpec, path: string): Promise<InputTensor> {
  if (input.datatype !== "UINT8" || input.shape.length !== 4)
    throw new AimassError(
      "INVALID_ARGUMENT",
      `Input ${input.name} takes ${input.datatype}[${input.shape.join(",")}], which is no picture.`,
      { remedy: "Give numbers or a text, or name a model that was trained on images." },
    );
  const { width, height, rgb } = await decodeImage(readBytes(path), path, defaultLimits);
  return { name: input.name, datatype: "UINT8", shape: [1, height, width, 3], bytes: rgb };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      remedy: "Check the path.",
    });
  }
}

function inputNamed(metadata: RestMetadata, name: string): InputSpec {
  const input = metadata.inputs.find((candidate) => candidate.name === name);
  if (input !== undefined) return input;
  throw new AimassError("INVALID_ARGUMENT", `The model has no input "${name}".`, {
    remedy: `Its inputs are ${metadata.inputs.map((i) => i.name).join(", ")}.`,
  });
}

function parsed(text: string, name = "x"): unknown {
  try {
    return parseExact(text);
  } catch (error) {
    throw new AimassError("INVALID_ARGUMENT", `The input is not JSON: ${(error as Error).message}.`, {
      cause: error,
      remedy: `Write it like '{"${name}": [[1, 2, 3]]}', or ${name}=1.`,
    });
  }
}

/** One value becomes one row of as many axes as the model has. */
function fitted(input: InputSpec, value: unknown): RestTensor {
  if (Array.isArray(value)) return tensorOf(input, value);
  return { ...tensorOf(input, [value]), shape: input.shape.map(() => 1) };
}

/** Axes of length 1 may be left out: n values for [-1,1] are n rows. */
function tensorOf({ name, datatype, shape: declared }: InputSpec, value: unknown): RestTensor {
  const given = shapeOf(value);
  const shape = fitShape(given, declared) ?? given;
  const data = [value].flat(Number.POSITIVE_INFINITY);
  return { name, datatype, shape, data: isNumber(datatype) ? data.map(asNumber) : data };
}

const isNumber = (datatype: string) => datatype !== "BOOL" && datatype !== "BYTES";

/** A cell of a column of booleans, as models are trained on them; anything else as it is. */
const asNumber = (value: unknown) => (typeof value === "boolean" ? Number(value) : value);

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0] ?? 0)] : [];
}
