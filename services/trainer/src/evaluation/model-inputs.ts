import type { AimassError } from "@aimass/core";
import { type Batch, type ColumnData, momentReader } from "@aimass/learn";
import { type InferenceSession, Tensor } from "onnxruntime-node";
import { unfit } from "./model-fit.ts";

type Metadata = Extract<InferenceSession["inputMetadata"][number], { readonly isTensor: true }>;

/** Kinds of columns by name. */
export type Moments = ReadonlyMap<string, "date" | "datetime">;

const numberTypes = ["float32", "float64", "int64", "int32", "bool"];

/** Makes a model's inputs of a batch's columns. */
export class ModelInputs {
  readonly #metadata: readonly Metadata[];
  readonly #columns: readonly string[] | undefined;
  readonly #moments: Moments;

  /** `moments`: columns of texts that inputs of FP64 take as days or seconds. Throws FAILED_PRECONDITION for inputs that no column could fill. */
  constructor(
    metadata: InferenceSession["inputMetadata"],
    columns: readonly string[] | undefined,
    moments: Moments = new Map(),
  ) {
    const other = metadata.find(({ isTensor }) => !isTensor);
    if (other !== undefined) throw unfit(`The model's input "${other.name}" is not a tensor.`);
    this.#metadata = metadata as readonly Metadata[];
    this.#columns = columns;
    this.#moments = moments;
  }

  /** Ranges of rows that may go into one run: images of one run are of one size. */
  *runs(batch: Batch, from: number, to: number): Generator<readonly [from: number, to: number]> {
    const images = [...batch.columns.values()].find(({ type }) => type === "image") as Images | undefined;
    const fixed = this.#metadata.some(({ shape }) => typeof shape[0] === "number" && shape[0] === 1);
    let start = from;
    for (let row = from + 1; row <= to; row++) {
      if (row < to && !fixed && (images === undefined || sameSize(images, row - 1, row))) continue;
      yield [start, row];
      start = row;
    }
  }

  /** Inputs of some rows. Throws FAILED_PRECONDITION for an input that the columns do not fit. */
  feeds(batch: Batch, from: number, to: number): Record<string, Tensor> {
    const single = this.#metadata.length === 1 ? this.#metadata[0] : undefined;
    if (single !== undefined && (isWide(single) || !batch.columns.has(single.name)))
      return { [single.name]: this.#all(single, batch, from, to) };
    return Object.fromEntries(this.#metadata.map((input) => [input.name, this.#named(input, batch, from, to)]));
  }

  #named(input: Metadata, batch: Batch, from: number, to: number): Tensor {
    const column = batch.columns.get(input.name);
    if (column === undefined) throw noColumn(input.name, [...batch.columns.keys()]);
    const rows = to - from;
    if (column.type !== "image") assertWidth(input, [input.name]);
    const shape = input.shape.length === 2 ? [rows, 1] : [rows];
    if (column.type === "image") return images(input, column, from, to);
    if (column.type === "string") {
      const moment = this.#moments.get(input.name);
      if (input.type === "float64" && moment !== undefined) {
        return numbers(input, column.values.slice(from, to).map(momentReader(moment)), shape);
      }
      if (input.type !== "string") throw holdsText(`The model's input "${input.name}" is ${input.type}`, input.name);
      const texts = column.values.slice(from, to).map((text) => text ?? "");
      return new Tensor("string", texts, shape);
    }
    return numbers(input, valuesOf(column, from, to), shape);
  }

  /** One input of all columns side by side, or of the one column there is. */
  #all(input: Metadata, batch: Batch, from: number, to: number): Tensor {
    const names = this.#columns ?? [...batch.columns.keys()];
    const only = names.length === 1 ? batch.columns.get(names[0] as string) : undefined;
    const picture = names.map((name) => batch.columns.get(name)).find((column) => column?.type === "image");
    if (picture !== undefined) return images(input, picture as Images, from, to);
    if (only !== undefined) return this.#named({ ...input, name: names[0] as string }, batch, from, to);
    if (input.shape.length < 2) throw noColumn(input.name, names);
    const values = names.map((name) => {
      const column = batch.columns.get(name);
      if (column === undefined) throw noColumn(name, [...batch.columns.keys()]);
      if (column.type === "number" || column.type === "boolean") return valuesOf(column, from, to);
      throw holdsText(`The model's one input "${input.name}" takes numbers`, name);
    });
    assertWidth(input, names);
    const rows = to - from;
    const flat = Array.from({ length: rows }, (_, row) => values.map((column) => column[row] as number)).flat();
    return numbers(input, flat, [rows, names.length]);
  }
}

/** Several numbers a row: no one column, whatever the input's name. */
function isWide({ shape }: Metadata): boolean {
  const wide = shape.at(-1);
  return shape.length === 2 && typeof wide === "number" && wide > 1;
}

function noColumn(name: string, names: readonly string[]): AimassError {
  return unfit(`The model asks for "${name}", which is no column; there are ${some(names)}.`);
}

function holdsText(what: string, column: string): AimassError {
  return unfit(`${what}, but the column "${column}" holds text.`, {
    remedy: `Name the features without it (--feature), or give the model an input "${column}" of texts (BYTES [N]).`,
  });
}

/** Throws FAILED_PRECONDITION when an input [N, width] takes more or fewer numbers than there are columns. */
function assertWidth({ name, shape }: Metadata, columns: readonly string[]): void {
  const wide = shape.at(-1);
  if (shape.length !== 2 || typeof wide !== "number" || wide === columns.length) return;
  const there = columns.length === 1 ? "there is one column" : `there are ${columns.length} columns`;
  throw unfit(`The model's input "${name}" takes ${wide} numbers a row; ${there}: ${some(columns)}.`);
}

function some(names: readonly string[]): string {
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return `${names.slice(0, 20).join(", ")}${more}`;
}

type Images = Extract<ColumnData, { type: "image" }>;

function sameSize({ values }: Images, a: number, b: number): boolean {
  return values[a]?.width === values[b]?.width && values[a]?.height === values[b]?.height;
}

function valuesOf(column: Extract<ColumnData, { type: "number" | "boolean" }>, from: number, to: number): number[] {
  const values = Array.from(column.values.subarray(from, to));
  return column.type === "boolean" ? values.map((value) => (value > 1 ? Number.NaN : value)) : values;
}

function numbers({ name, type }: Metadata, values: readonly number[], shape: readonly number[]): Tensor {
  switch (type) {
    case "float32":
      return new Tensor(type, Float32Array.from(values), shape);
    case "float64":
      return new Tensor(type, Float64Array.from(values), shape);
    case "int32":
      return new Tensor(type, Int32Array.from(values, int32Of(name)), shape);
    case "int64":
      return new Tensor(type, BigInt64Array.from(values, wholeOf(name)), shape);
    case "bool":
      return new Tensor(type, Uint8Array.from(values, bitOf(name)), shape);
    default:
      throw unfit(`The model's input "${name}" is ${type}; columns of numbers fit ${numberTypes.join(", ")}.`);
  }
}

function wholeOf(name: string): (value: number) => bigint {
  return (value) => {
    if (Number.isInteger(value)) return BigInt(value);
    throw notTaken(name, "whole numbers", value);
  };
}

function int32Of(name: string): (value: number) => number {
  return (value) => {
    if ((value | 0) === value) return value;
    throw notTaken(name, "whole numbers of 32 bits", value);
  };
}

function bitOf(name: string): (value: number) => number {
  return (value) => {
    if (value === 0 || value === 1) return value;
    throw notTaken(name, "true or false", value);
  };
}

function notTaken(name: string, what: string, value: number): AimassError {
  const has = Number.isNaN(value) ? "a row has no value there" : `a row has ${value}`;
  const remedy = Number.isNaN(value)
    ? "Fill the gaps, or let the model take floats: a gap is NaN there."
    : "Let the model take floats.";
  return unfit(`The model's input "${name}" takes ${what}, but ${has}.`, { remedy });
}

/** UINT8 [N, H, W, 3] as the platform's own models take them, or FP32 with values 0…1, also with the channels first. */
function images(input: Metadata, { values }: Images, from: number, to: number): Tensor {
  const pictures = values.slice(from, to);
  const { width = 0, height = 0 } = pictures[0] ?? {};
  const last = input.shape.at(-1);
  const channelsFirst = input.shape.length === 4 && input.shape[1] === 3 && last !== 3;
  if (input.shape.length !== 4 || !(last === 3 || typeof last === "string" || channelsFirst)) {
    throw unfit(
      `The model's input "${input.name}" has the shape [${input.shape.join(", ")}]; pictures are [N, height, width, 3] or [N, 3, height, width].`,
    );
  }
  const [high, wide] = channelsFirst ? input.shape.slice(2) : input.shape.slice(1);
  if ((typeof high === "number" && high !== height) || (typeof wide === "number" && wide !== width)) {
    throw unfit(
      `The model's input "${input.name}" takes pictures of ${high} × ${wide}, but one is ${height} × ${width}.`,
    );
  }
  const shape = channelsFirst ? [pictures.length, 3, height, width] : [pictures.length, height, width, 3];
  const size = height * width * 3;
  const bytes = new Uint8Array(pictures.length * size);
  for (const [i, picture] of pictures.entries()) {
    if (picture !== undefined) bytes.set(channelsFirst ? channels(picture.rgb) : picture.rgb, i * size);
  }
  if (input.type === "uint8") return new Tensor("uint8", bytes, shape);
  if (input.type === "float32")
    return new Tensor(
      "float32",
      Float32Array.from(bytes, (byte) => byte / 255),
      shape,
    );
  throw unfit(`The model's input "${input.name}" is ${input.type}; pictures fit uint8, or float32 from 0 to 1.`);
}

/** Red, green and blue one after the other. */
function channels(rgb: Uint8Array): Uint8Array {
  const pixels = rgb.length / 3;
  return Uint8Array.from(rgb, (_, i) => rgb[(i % pixels) * 3 + Math.floor(i / pixels)] as number);
}
