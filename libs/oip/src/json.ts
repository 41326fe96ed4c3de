import { AimassError } from "@aimass/core";
import { decodeUtf8 } from "./bytes-elements.ts";

/** Any value of a JSON text; whole numbers beyond ±2^53 are bigints when they were asked for exactly. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Sixteen digits in a row: only then can a whole number be beyond 2^53. */
const longDigits = /\d{16}/;
const wholeNumber = /^-?\d+$/;

/** Parses UTF-8 JSON that must be an object. Throws INVALID_ARGUMENT saying where it breaks. */
export function parseJsonObject(body: Uint8Array): { text: string; json: JsonObject } {
  const text = decodeUtf8(body);
  if (text === undefined) throw badJson("it is not UTF-8");
  const json = parse(text);
  if (!isObject(json)) throw badJson("it is not an object");
  return { text, json };
}

/**
 * Parses again keeping whole numbers beyond ±2^53 exact as bigints; undefined when the text cannot hold one, which costs one scan.
 * Only requests with INT64 or UINT64 tensors of such numbers pay for the second parse.
 */
export function parseExact(text: string): JsonObject | undefined {
  if (!longDigits.test(text)) return undefined;
  return JSON.parse(text, function exact(this: unknown, _key: string, value: unknown, context?: { source?: string }) {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source;
    return source !== undefined && wholeNumber.test(source) ? BigInt(source) : value;
  } as (this: unknown, key: string, value: unknown) => unknown);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** A field of a JSON object that is its own, not the prototype's. */
export function field(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** What a JSON value is, for an error: "a string", "null" … */
export function describe(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `a ${typeof value === "bigint" ? "number" : typeof value}`;
}

export function badJson(what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The body is not the JSON of a request: ${what}.`, {
    reason: "MALFORMED_JSON",
    remedy: "Send one JSON object in UTF-8; NaN and Infinity are written as strings.",
  });
}

/** From what V8 says of a text, which is a position, the token with the text around it, or that there is no more. */
function whereItBreaks(message: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return `it breaks at character ${position}`;
  const [, token, around] = /^Unexpected token ('.+?'), (.+) is not valid JSON$/s.exec(message) ?? [];
  return token === undefined ? "it ends too early" : `it breaks at ${token} in ${around}`;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw badJson(whereItBreaks((error as Error).message));
  }
}
