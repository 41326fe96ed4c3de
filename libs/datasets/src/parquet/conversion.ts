import { isUtf8 } from "node:buffer";
import type { SchemaElement } from "hyparquet";
import type { ColumnType } from "../schema.ts";
import type { RawValues } from "./raw-values.ts";

/** Values of a column as the rest of the package knows them, without nulls. */
export type Converted =
  | { readonly type: "number"; readonly values: Float64Array }
  | { readonly type: "string"; readonly values: readonly string[] }
  | { readonly type: "boolean"; readonly values: Uint8Array };

/** A value that cannot be taken over: which of the values given, and why. */
export class BadValue extends Error {
  readonly index: number;
  readonly remedy: string;

  constructor(index: number, problem: string, remedy: string) {
    super(problem);
    this.index = index;
    this.remedy = remedy;
  }
}

/** How the values of one column of a file are read. */
export interface Conversion {
  /** The type that suits the column best. */
  readonly type: ColumnType;
  readonly convert: (raw: RawValues) => Converted;
  /** The values as text, exact for 64-bit integers. */
  readonly texts: (raw: RawValues) => readonly string[];
}

/** How a column is read; undefined when its type has no place in a table of numbers, texts and booleans. */
export function conversionOf(element: SchemaElement): Conversion | undefined {
  const logical = element.logical_type?.type;
  const converted = element.converted_type;
  if (logical === "DECIMAL" || converted === "DECIMAL")
    return numberConversion((raw) => decimals(raw, element.scale ?? 0));
  if (logical === "FLOAT16") return numberConversion(halves);
  if (logical === "DATE" || converted === "DATE") return textConversion((raw) => Array.from(numbersOf(raw), dayText));
  if (element.type === "INT96") return textConversion((raw) => bytesOf(raw).map(int96Text));
  const unit = timestampUnit(element);
  if (unit !== undefined) return textConversion((raw) => bigintsOf(raw).map((value) => momentText(value, unit)));
  if (logical === "UUID") return textConversion((raw) => bytesOf(raw).map(uuidText));
  return physicalConversion(element);
}

function physicalConversion(element: SchemaElement): Conversion | undefined {
  const unsigned = element.converted_type?.startsWith("UINT_") === true;
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
      return { type: "number", convert: (raw) => ({ type: "number", values: safeIntegers(raw) }), texts };
    }
    case "FLOAT":
    case "DOUBLE":
      return numberConversion((raw) => Float64Array.from(numbersOf(raw)));
    case "BYTE_ARRAY":
      return textConversion((raw) => utf8Texts(bytesOf(raw)));
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

function textConversion(texts: (raw: RawValues) => readonly string[]): Conversion {
  return { type: "string", convert: (raw) => ({ type: "string", values: texts(raw) }), texts };
}

/** Infinities are no values a model can be trained on; NaN is a missing value. */
function finite(values: Float64Array): Float64Array {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Math.abs(value) === Number.POSITIVE_INFINITY)
      throw new BadValue(i, `${value} is infinite`, "Write a finite number, or null.");
  }
  return values;
}

function safeIntegers(raw: RawValues): Float64Array {
  if (raw.type !== "INT64") throw new Error("its values are not 64-bit integers");
  const { buffer, byteOffset, length } = raw.values;
  const halves = new Int32Array(buffer, byteOffset, length * 2);
  const values = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const value = (halves[2 * i + 1] as number) * 2 ** 32 + ((halves[2 * i] as number) >>> 0);
    if (!Number.isSafeInteger(value)) {
      const remedy = "Write it as a string, or give a schema that makes the column a string.";
      throw new BadValue(
        i,
        `${raw.values[i]} is an integer beyond 2^53, which a 64-bit float cannot hold exactly`,
        remedy,
      );
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

function utf8Texts(values: readonly Uint8Array[]): string[] {
  return values.map((value, index) => {
    if (!isUtf8(value))
      throw new BadValue(index, "the value is not UTF-8 text", "Write text as UTF-8; leave binary columns out.");
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8");
  });
}

function decimals(raw: RawValues, scale: number): Float64Array {
  if (raw.type !== "BYTES") return Float64Array.from(bigintsOf(raw), (value) => Number(value) / 10 ** scale);
  return Float64Array.from(raw.values, (bytes) => Number(bigEndian(bytes)) / 10 ** scale);
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

/** Units of a second. */
function timestampUnit(element: SchemaElement): bigint | undefined {
  if (element.converted_type === "TIMESTAMP_MILLIS") return 1_000n;
  if (element.converted_type === "TIMESTAMP_MICROS") return 1_000_000n;
  if (element.logical_type?.type !== "TIMESTAMP") return undefined;
  const { unit } = element.logical_type;
  return unit === "MILLIS" ? 1_000n : unit === "MICROS" ? 1_000_000n : 1_000_000_000n;
}

/** ISO 8601 with as many digits of a second as the moment has. */
function momentText(value: bigint, unit: bigint): string {
  const rest = ((value % unit) + unit) % unit;
  const seconds = Number((value - rest) / unit);
  const second = isoText(seconds * 1000).slice(0, -5);
  const digits = String(rest)
    .padStart(String(unit).length - 1, "0")
    .replace(/0+$/, "");
  return `${second}${digits === "" ? "" : `.${digits}`}Z`;
}

function dayText(days: number): string {
  return isoText(days * 86_400_000).slice(0, -14);
}

function isoText(milliseconds: number): string {
  const moment = new Date(milliseconds);
  if (Number.isNaN(moment.getTime())) throw new Error("a date lies outside the calendar");
  return moment.toISOString();
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
