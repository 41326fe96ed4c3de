import { isUtf8 } from "node:buffer";
import type { SchemaElement } from "hyparquet";
import { keepAsText } from "../cells/bad-cell.ts";
import { dayText, momentText, OffCalendar, timeText } from "../cells/iso-text.ts";
import { beyondExact } from "../cells/lost-digits.ts";
import type { ColumnType } from "../schema.ts";
import { decimalText, decimalValue } from "./decimals.ts";
import type { RawValues } from "./raw-values.ts";

/** Values of a column as the rest of the package knows them, without nulls. */
export type Converted =
  | { readonly type: "number"; readonly values: Float64Array }
  | { readonly type: "string"; readonly values: readonly string[] }
  | { readonly type: "boolean"; readonly values: Uint8Array };

/** A value that cannot be taken over: which of the values given, and why. */
export class BadValue extends Error {
  readonly index: number;
  readonly remedy: (column: string) => string;
  /** The value, when a number loses digits that text would keep. */
  readonly exact: string | undefined;
  /** What the column holds, when that is nothing a model takes. */
  readonly unfit: string | undefined;

  constructor(index: number, problem: string, remedy: (column: string) => string, exact?: string, unfit?: string) {
    super(problem);
    this.unfit = unfit;
    this.index = index;
    this.remedy = remedy;
    this.exact = exact;
  }
}

function inexact(index: number, text: string): BadValue {
  return new BadValue(index, `${text} ${beyondExact(text)}`, keepAsText, text);
}

/** How the values of one column of a file are read. */
export interface Conversion {
  /** The type that suits the column best. */
  readonly type: ColumnType;
  readonly convert: (raw: RawValues) => Converted;
  /** The values as text, exact for integers and decimals. */
  readonly texts: (raw: RawValues) => readonly string[];
  /** A number that was rounded because it has more digits than a 64-bit float keeps, once one was converted. */
  readonly rounded?: () => string | undefined;
  /** The numbers of the file's own unit, as which versions from before have the column. */
  readonly former?: Conversion | undefined;
}

/** How a column is read; undefined when its type has no place in a table of numbers, texts and booleans. */
export function conversionOf(element: SchemaElement): Conversion | undefined {
  const logical = element.logical_type?.type;
  const converted = element.converted_type;
  if (logical === "DECIMAL" || converted === "DECIMAL") return decimalConversion(element.scale ?? 0);
  if (logical === "FLOAT16") return numberConversion(halves);
  if (logical === "DATE" || converted === "DATE") return textConversion((raw) => onCalendar(numbersOf(raw), dayText));
  if (element.type === "INT96") return textConversion((raw) => onCalendar(bytesOf(raw), int96Text));
  const moment = unitOf(element, "TIMESTAMP");
  if (moment !== undefined)
    return textConversion((raw) => onCalendar(bigintsOf(raw), (value) => momentText(value, moment)));
  const time = unitOf(element, "TIME");
  if (time !== undefined) {
    const texts = textConversion((raw) => onCalendar(bigintsOf(raw), (value) => timeText(value, time)));
    return { ...texts, former: physicalConversion(element) };
  }
  if (logical === "UUID") return textConversion((raw) => bytesOf(raw).map(uuidText));
  return physicalConversion(element);
}

function physicalConversion(element: SchemaElement): Conversion | undefined {
  const unsigned = isUnsigned(element);
  switch (element.type) {
    case "BOOLEAN":
      return {
        type: "boolean",
        convert: booleans,
        texts: (raw) => Array.from(booleans(raw).values, (v) => String(v === 1)),
      };
    case "INT32":
      return numberConversion((raw) => Float64Array.from(numbersOf(raw), (v) => (unsigned ? v >>> 0 : v)));
    case "INT64": {
      const exact = (raw: RawValues) => bigintsOf(raw).map((v) => (unsigned ? BigInt.asUintN(64, v) : v));
      const texts = (raw: RawValues) => exact(raw).map(String);
      return { type: "number", convert: (raw) => ({ type: "number", values: safeIntegers(raw, unsigned) }), texts };
    }
    case "FLOAT":
    case "DOUBLE":
      return numberConversion((raw) => Float64Array.from(numbersOf(raw)));
    case "BYTE_ARRAY":
      return textConversion((raw) => utf8Texts(bytesOf(raw), isText(element)));
    default:
      return undefined;
  }
}

function numberConversion(numbers: (raw: RawValues) => Float64Array): Conversion {
  return {
    type: "number",
    convert: (raw) => ({ type: "number", values: finite(numbers(raw)) }),
    texts: (raw) => Array.from(numbers(raw), String),
  };
}

/** Decimals are the nearest doubles, as they are when they are written in text; see `lostDigits`. */
function decimalConversion(scale: number): Conversion {
  let rounded: string | undefined;
  const numbers = (raw: RawValues) =>
    Float64Array.from(unscaledOf(raw), (unscaled, index) => {
      const { value, lost } = decimalValue(unscaled, scale);
      if (lost === "whole") throw inexact(index, decimalText(unscaled, scale));
      if (lost === "fraction") rounded ??= decimalText(unscaled, scale);
      return value;
    });
  return {
    type: "number",
    convert: (raw) => ({ type: "number", values: finite(numbers(raw)) }),
    texts: (raw) => unscaledOf(raw).map((unscaled) => decimalText(unscaled, scale)),
    rounded: () => rounded,
  };
}

function unscaledOf(raw: RawValues): bigint[] {
  return raw.type === "BYTES" ? raw.values.map(bigEndian) : bigintsOf(raw);
}

function textConversion(texts: (raw: RawValues) => readonly string[]): Conversion {
  return { type: "string", convert: (raw) => ({ type: "string", values: texts(raw) }), texts };
}

/** Infinities are no values a model can be trained on; NaN is a missing value. */
function finite(values: Float64Array): Float64Array {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Math.abs(value) === Number.POSITIVE_INFINITY)
      throw new BadValue(i, `${value} is infinite`, () => "Write a finite number, or null.");
  }
  return values;
}

function safeIntegers(raw: RawValues, unsigned: boolean): Float64Array {
  if (raw.type !== "INT64") throw new Error("its values are not 64-bit integers");
  const { buffer, byteOffset, length } = raw.values;
  const halves = new Int32Array(buffer, byteOffset, length * 2);
  const values = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const high = halves[2 * i + 1] as number;
    const value = (unsigned ? high >>> 0 : high) * 2 ** 32 + ((halves[2 * i] as number) >>> 0);
    if (!Number.isSafeInteger(value)) {
      const exact = raw.values[i] as bigint;
      throw inexact(i, String(unsigned ? BigInt.asUintN(64, exact) : exact));
    }
    values[i] = value;
  }
  return values;
}

function booleans(raw: RawValues): { type: "boolean"; values: Uint8Array } {
  if (raw.type !== "BOOLEAN") throw new Error("its values are not booleans");
  return { type: "boolean", values: raw.values };
}

function numbersOf(raw: RawValues): number[] | Float64Array {
  if (raw.type === "DOUBLE") return raw.values;
  if (raw.type === "INT32" || raw.type === "FLOAT") return Array.from(raw.values);
  throw new Error("its values are not numbers");
}

function bigintsOf(raw: RawValues): bigint[] {
  if (raw.type === "INT64") return Array.from(raw.values);
  if (raw.type === "INT32") return Array.from(raw.values, BigInt);
  throw new Error("its values are not integers");
}

function bytesOf(raw: RawValues): readonly Uint8Array[] {
  if (raw.type !== "BYTES") throw new Error("its values are not byte strings");
  return raw.values;
}

function isText({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return logical?.type === "STRING" || converted === "UTF8";
}

function utf8Texts(values: readonly Uint8Array[], saysText: boolean): string[] {
  const remedy = () => "Write text as UTF-8; leave binary columns out.";
  return values.map((value, index) => {
    if (!isUtf8(value))
      throw new BadValue(
        ...([index, "the value is not UTF-8 text", remedy] as const),
        ...([undefined, saysText ? undefined : "holds binary values"] as const),
      );
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8");
  });
}

function isUnsigned({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted?.startsWith("UINT_") === true || (logical?.type === "INTEGER" && !logical.isSigned);
}

function bigEndian(bytes: Uint8Array): bigint {
  if (bytes.byteLength > 32) throw new Error("a decimal has more than 256 bits");
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.byteLength * 8, value);
}

function halves(raw: RawValues): Float64Array {
  return Float64Array.from(bytesOf(raw), (bytes) => {
    const bits = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
    const exponent = (bits >>> 10) & 31;
    const fraction = bits & 1023;
    const sign = bits & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}

/** Units of a second of moments or times of day; undefined for other columns. */
function unitOf(element: SchemaElement, what: "TIMESTAMP" | "TIME"): bigint | undefined {
  if (element.converted_type === `${what}_MILLIS`) return 1_000n;
  if (element.converted_type === `${what}_MICROS`) return 1_000_000n;
  if (element.logical_type?.type !== what) return undefined;
  const { unit } = element.logical_type;
  return unit === "MILLIS" ? 1_000n : unit === "MICROS" ? 1_000_000n : 1_000_000_000n;
}

/** The texts of days, moments or times; refuses those that no calendar has, such as the infinities of some databases. */
function onCalendar<T>(values: ArrayLike<T>, textOf: (value: T) => string): string[] {
  return Array.from(values, (value, index) => {
    try {
      return textOf(value);
    } catch (error) {
      if (!(error instanceof OffCalendar)) throw error;
      throw new BadValue(index, error.message, () => error.remedy);
    }
  });
}

/** Nanoseconds of a day and a Julian day number, as Impala and old Spark write moments. */
function int96Text(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const day = BigInt(view.getInt32(8, true)) - 2_440_588n;
  return momentText(day * 86_400_000_000_000n + view.getBigInt64(0, true), 1_000_000_000n);
}

function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
