import { AimassError } from "@aimass/core";
import { bytesFromElements, stringElements } from "./bytes-elements.ts";
import { type Datatype, elementCount, elementSize, formatShape, quoted } from "./datatype.ts";
import { fromBf16, fromFp16, toBf16, toFp16 } from "./half.ts";
import { describe, isArray, type Json } from "./json.ts";
import { type ElementArray, elementsOf, type Tensor } from "./tensor.ts";

/** Name, type and shape of a tensor whose elements are JSON. */
export interface ElementTarget {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Whether null stands for the empty string among BYTES. */
  readonly nullIsEmpty?: boolean;
}

/** Whole numbers each type holds. */
const ranges: Partial<Record<Datatype, readonly [least: number, most: number]>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
};

const bigRanges: Partial<Record<Datatype, readonly [least: bigint, most: bigint]>> = {
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
};

const nonFinite: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/**
 * JSON data, flat or nested as the shape says, as raw bytes. Nothing is allocated before the elements are counted. Among floating point numbers null is
 * NaN, as JavaScript writes it.
 * Throws INVALID_ARGUMENT for a wrong count, a nesting that is not the shape's, or an element the type cannot hold.
 */
export function bytesFromJson(data: Json | undefined, target: ElementTarget): Uint8Array {
  const leaves = leavesOf(data, target);
  if (target.datatype === "BYTES") return bytesFromElements(textsOf(leaves, target));
  const count = elementCount(target.shape, target.name);
  const bytes = new Uint8Array(count * elementSize(target.datatype));
  const elements = elementsOf(target.datatype, bytes);
  let index = 0;
  for (const leaf of leaves) index = fill(elements, index, leaf, target);
  return bytes;
}

/**
 * The elements of a tensor as flat JSON values: numbers, bigints beyond ±2^53, booleans, strings; NaN and infinities as the strings
 * "NaN", "Infinity", "-Infinity", as protobuf's JSON mapping has them. Throws INVALID_ARGUMENT for BYTES that are not UTF-8.
 */
export function jsonFromTensor(tensor: Tensor): Json[] {
  if (tensor.datatype === "BYTES") return stringElements(tensor.bytes, tensor.name);
  const elements = elementsOf(tensor.datatype, tensor.bytes);
  switch (tensor.datatype) {
    case "BOOL":
      return Array.from(elements as Uint8Array, (bit) => bit !== 0);
    case "INT64":
    case "UINT64":
      return Array.from(elements as BigInt64Array, narrow);
    case "FP16":
      return Array.from(elements as Uint16Array, (bits) => finite(fromFp16(bits)));
    case "BF16":
      return Array.from(elements as Uint16Array, (bits) => finite(fromBf16(bits)));
    case "FP32":
    case "FP64":
      return Array.from(elements as Float64Array, finite);
    default:
      return Array.from(elements as Int32Array);
  }
}

/** JSON text of flat values; bigints are written as whole numbers. */
export function writeJsonList(values: readonly Json[]): string {
  if (!values.some((value) => typeof value === "bigint")) return JSON.stringify(values);
  return `[${values.map((value) => (typeof value === "bigint" ? String(value) : JSON.stringify(value))).join(",")}]`;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function finite(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** The lists that hold the elements, in order: one for flat data, one a row for nested data. */
function leavesOf(data: Json | undefined, target: ElementTarget): (readonly Json[])[] {
  const { shape } = target;
  const count = elementCount(shape, target.name);
  if (!isArray(data)) {
    if (shape.length === 0 && data !== undefined) return [[data]];
    throw badData(target, `${describe(data)} as its data`, "Data is a list, flat or nested as the shape says.");
  }
  if (!isArray(data[0]) || shape.length < 2) {
    if (data.length === count) return [data];
    throw badData(target, `${data.length} elements instead of ${count}`, "Send as many elements as the shape says.");
  }
  const leaves: (readonly Json[])[] = [];
  collect(data, 0, target, leaves);
  return leaves;
}

function collect(list: readonly Json[], axis: number, target: ElementTarget, leaves: (readonly Json[])[]): void {
  if (list.length !== target.shape[axis]) {
    const given = `${list.length} entries on axis ${axis}`;
    throw badData(target, given, `Nested lists are as long as the shape says, ${target.shape[axis]} here.`);
  }
  if (axis === target.shape.length - 1) {
    leaves.push(list);
    return;
  }
  for (const inner of list) {
    if (!isArray(inner))
      throw badData(target, `${describe(inner)} on axis ${axis}`, "Nest all rows alike, or send flat data.");
    collect(inner, axis + 1, target, leaves);
  }
}

function textsOf(leaves: readonly (readonly Json[])[], target: ElementTarget): string[] {
  return leaves.flat().map((value, index) => {
    if (typeof value === "string" && value.isWellFormed()) return value;
    if (value === null && target.nullIsEmpty === true) return "";
    throw badElement(target, index, value, "BYTES elements are strings in JSON; other bytes travel as binary data.");
  });
}

function fill(elements: ElementArray, start: number, values: readonly Json[], target: ElementTarget): number {
  switch (target.datatype) {
    case "FP32":
    case "FP64":
      return fillFloats(elements as Float64Array, start, values, target);
    case "FP16":
    case "BF16":
      return fillHalves(elements as Uint16Array, start, values, target);
    case "INT64":
    case "UINT64":
      return fillBigs(elements as BigInt64Array, start, values, target);
    case "BOOL":
      return fillBooleans(elements as Uint8Array, start, values, target);
    default:
      return fillWhole(elements as Int32Array, start, values, target);
  }
}

function fillFloats(
  out: Float32Array | Float64Array,
  start: number,
  values: readonly Json[],
  target: ElementTarget,
): number {
  let at = start;
  for (const value of values) {
    out[at] = typeof value === "number" ? value : floatOf(value, at, target);
    at++;
  }
  return at;
}

function fillHalves(out: Uint16Array, start: number, values: readonly Json[], target: ElementTarget): number {
  const encode = target.datatype === "FP16" ? toFp16 : toBf16;
  values.forEach((value, index) => {
    out[start + index] = encode(floatOf(value, start + index, target));
  });
  return start + values.length;
}

function floatOf(value: Json, index: number, target: ElementTarget): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value === null) return Number.NaN;
  const special = typeof value === "string" && Object.hasOwn(nonFinite, value) ? nonFinite[value] : undefined;
  if (special !== undefined) return special;
  throw badElement(target, index, value, 'Elements are numbers, null or "NaN", "Infinity", "-Infinity".');
}

function fillWhole(out: Int32Array, start: number, values: readonly Json[], target: ElementTarget): number {
  const [least, most] = ranges[target.datatype] as readonly [number, number];
  let at = start;
  for (const value of values) {
    if (!(typeof value === "number" && Number.isInteger(value) && value >= least && value <= most)) {
      throw badElement(target, at, value, `Elements of ${target.datatype} are whole numbers from ${least} to ${most}.`);
    }
    out[at++] = value;
  }
  return at;
}

function fillBigs(out: BigInt64Array, start: number, values: readonly Json[], target: ElementTarget): number {
  const [least, most] = bigRanges[target.datatype] as readonly [bigint, bigint];
  let at = start;
  for (const value of values) {
    const exact = Number.isSafeInteger(value) ? BigInt(value as number) : value;
    if (typeof exact !== "bigint" || exact < least || exact > most) {
      throw badElement(target, at, value, `Elements of ${target.datatype} are whole numbers from ${least} to ${most}.`);
    }
    out[at++] = exact;
  }
  return at;
}

function fillBooleans(out: Uint8Array, start: number, values: readonly Json[], target: ElementTarget): number {
  values.forEach((value, index) => {
    if (value === true || value === 1) out[start + index] = 1;
    else if (value !== false && value !== 0) {
      throw badElement(target, start + index, value, "Elements of BOOL are true or false.");
    }
  });
  return start + values.length;
}

function badData(target: ElementTarget, given: string, remedy: string): AimassError {
  const type = `${target.datatype}${formatShape(target.shape)}`;
  return new AimassError("INVALID_ARGUMENT", `Tensor ${quoted(target.name)} of ${type} has ${given}.`, {
    reason: "BAD_DATA",
    field: target.name,
    remedy,
  });
}

function badElement(target: ElementTarget, index: number, value: Json, remedy: string): AimassError {
  const shown = typeof value === "number" || typeof value === "bigint" ? String(value) : describe(value);
  const message = `Element ${index} of tensor ${quoted(target.name)} of ${target.datatype} is ${shown}.`;
  return new AimassError("INVALID_ARGUMENT", message, { reason: "BAD_ELEMENT", field: target.name, remedy });
}
