import { badJson, type JsonRange, type JsonReader } from "./json-reader.ts";

/** Any value of a JSON text; whole numbers beyond ±2^53 are bigints, NaN and infinities numbers. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What describes a request beside its data (ids, shapes, parameters) is small; a tree of more would take many times its bytes. */
const mostDescription = 1024 * 1024;

/** Reads the next value as a tree. `what` names it where it is too large. */
export function readTree(reader: JsonReader, what: string): Json {
  const { start, end } = reader.skip();
  if (end - start > mostDescription) throw badJson(`${what} has ${end - start} bytes, more than ${mostDescription}`);
  reader.at = start;
  return readValue(reader);
}

/**
 * Goes past the next object and tells where the values of some of its fields stand. null is absent. A name that comes again: the last one counts.
 * Other fields are checked and passed over.
 */
export function findFields<N extends string>(reader: JsonReader, names: readonly N[]): Partial<Record<N, JsonRange>> {
  const found: Partial<Record<N, JsonRange>> = {};
  reader.enter("object");
  for (let isFirst = true; reader.more("object", isFirst); isFirst = false) {
    const key = reader.key();
    const name = names.find((candidate) => isNamed(reader, key, candidate));
    const isNull = reader.kind() === "null";
    const range = reader.skip();
    if (name === undefined) continue;
    if (isNull) delete found[name];
    else found[name] = range;
  }
  return found;
}

/** Reads the tree at a place; undefined where there is none. */
export function treeAt(reader: JsonReader, range: JsonRange | undefined, what: string): Json | undefined {
  if (range === undefined) return undefined;
  reader.at = range.start;
  return readTree(reader, what);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** A field of a JSON object that is its own, not the prototype's; null is absent. */
export function field(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined;
}

/** What a JSON value is, for an error: "a string", "null" … */
export function describe(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `a ${typeof value === "bigint" ? "number" : typeof value}`;
}

function readValue(reader: JsonReader): Json {
  switch (reader.kind()) {
    case "string":
      return reader.string();
    case "number":
      reader.readNumber();
      return Number.isSafeInteger(reader.number) ? reader.number : (reader.wholeNumber() ?? reader.number);
    case "boolean":
      return reader.boolean();
    case "null":
      reader.null();
      return null;
    case "list":
      return readList(reader);
    case "object":
      return readObject(reader);
    default:
      throw reader.broken();
  }
}

function readList(reader: JsonReader): Json[] {
  const list: Json[] = [];
  reader.enter("list");
  for (let isFirst = true; reader.more("list", isFirst); isFirst = false) list.push(readValue(reader));
  return list;
}

function readObject(reader: JsonReader): JsonObject {
  const entries: [string, Json][] = [];
  reader.enter("object");
  for (let isFirst = true; reader.more("object", isFirst); isFirst = false) {
    entries.push([reader.text(reader.key()), readValue(reader)]);
  }
  return Object.fromEntries(entries);
}

/** Keys with escapes are rare, and those that are asked for are short. */
function isNamed(reader: JsonReader, key: JsonRange, name: string): boolean {
  return key.end - key.start <= 6 * name.length && reader.text(key) === name;
}
