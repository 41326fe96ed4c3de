import { AimassError, didYouMean } from "@aimass/core";
import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type YAMLMap,
} from "yaml";

/** More parts than this are only there when aliases repeat one another. */
const mostParts = 1_000_000;

interface Whole {
  readonly smallest: bigint;
  readonly largest: bigint;
}

const wholeTypes: Partial<Record<ScalarType, Whole>> = {
  [ScalarType.INT32]: { smallest: -(2n ** 31n), largest: 2n ** 31n - 1n },
  [ScalarType.UINT32]: { smallest: 0n, largest: 2n ** 32n - 1n },
  [ScalarType.INT64]: { smallest: -(2n ** 63n), largest: 2n ** 63n - 1n },
  [ScalarType.UINT64]: { smallest: 0n, largest: 2n ** 64n - 1n },
};

/** Turns a YAML document into the JSON of a protobuf message, and says with file and line what does not fit. */
export class SpecReader {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  #parts = 0;

  constructor(file: string, document: Document, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /** Errors: INVALID_ARGUMENT. */
  message(given: unknown, desc: DescMessage, name = "the file"): JsonObject {
    const node = this.#resolve(given);
    if (!isMap(node)) {
      const example = desc.fields[0]?.jsonName ?? "name";
      throw this.#error(node, `${name} is ${describe(node)}`, `Give fields, a line each, like "${example}: …".`);
    }
    const json: JsonObject = {};
    for (const [field, value] of this.#fields(node, desc)) json[field.jsonName] = this.#value(value, field);
    return json;
  }

  #fields(node: YAMLMap, desc: DescMessage): Map<DescField, Node | null> {
    const found = new Map<DescField, Node | null>();
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const name = this.#name(pair.key);
      const field = desc.fields.find((one) => one.jsonName === name || one.name === name);
      if (field === undefined) throw this.#unknown(pair.key, name, desc);
      if (found.has(field)) throw this.#error(pair.key, `${field.jsonName} is given twice`, "Give it once.");
      const rival = [...found.keys()].find((other) => other.oneof !== undefined && other.oneof === field.oneof);
      if (rival !== undefined)
        throw this.#error(
          pair.key,
          `${rival.jsonName} and ${field.jsonName} stand together`,
          "Give one of them; begin another item of the list for the other.",
        );
      found.set(field, pair.value);
    }
    return found;
  }

  #unknown(key: Node, name: string, desc: DescMessage): AimassError {
    const known = desc.fields.map((field) => field.jsonName);
    const remedy = `${didYouMean(name, known)}The fields here are ${known.join(", ")}.`;
    return this.#error(key, `there is no field ${JSON.stringify(name)}`, remedy);
  }

  #value(given: Node | null, field: DescField): JsonValue {
    if (field.fieldKind === "list") return this.#list(given, field);
    if (field.fieldKind === "map") return this.#map(given, field);
    return this.#single(given, field, field.jsonName);
  }

  #list(given: Node | null, field: DescField & { fieldKind: "list" }): JsonValue {
    const node = this.#resolve(given);
    if (!isSeq(node)) {
      const remedy = `Give a list: "${field.jsonName}: [one, two]", or a line each that begins with "- ".`;
      throw this.#error(node, `${field.jsonName} is ${describe(node)}`, remedy);
    }
    return node.items.map((item) => this.#single(item as Node, field, `a part of ${field.jsonName}`));
  }

  #map(given: Node | null, field: DescField & { fieldKind: "map" }): JsonValue {
    const node = this.#resolve(given);
    if (!isMap(node))
      throw this.#error(
        node,
        `${field.jsonName} is ${describe(node)}`,
        `Give pairs: "${field.jsonName}: { name: value }".`,
      );
    const json: JsonObject = {};
    for (const { key, value } of node.items as Pair<Node, Node | null>[]) {
      const name = this.#name(key);
      json[name] = this.#single(value, field, `${name} in ${field.jsonName}`);
    }
    return json;
  }

  #single(given: Node | null, field: DescField, name: string): JsonValue {
    if (field.message !== undefined) return this.message(given, field.message, name);
    const node = this.#resolve(given);
    const value = isScalar(node) ? node.value : undefined;
    const type = "scalar" in field && field.scalar !== undefined ? field.scalar : ScalarType.STRING;
    const json = scalarJson(value, type);
    if (json !== undefined) return json;
    throw this.#error(node, `${name} is ${describe(node)}`, wanted(type, value));
  }

  #name(key: unknown): string {
    const node = this.#resolve(key);
    if (isScalar(node) && node.value !== null) return String(node.value);
    throw this.#error(node, `${describe(node)} stands where a name is wanted`, 'Write "name: value".');
  }

  #resolve(given: unknown): Node | undefined {
    this.#parts += 1;
    const node = isAlias(given) ? given.resolve(this.#document) : (given as Node | null);
    if (this.#parts > mostParts) throw this.#error(node, "the file repeats itself without end", "Use fewer aliases.");
    return node ?? undefined;
  }

  #error(node: unknown, what: string, remedy: string): AimassError {
    const offset = (node as Node | undefined)?.range?.[0];
    const at = offset === undefined ? this.#file : `${this.#file}, line ${this.#lines.linePos(offset).line}`;
    return new AimassError("INVALID_ARGUMENT", `${at}: ${what}.`, { remedy });
  }
}

/** The value as protobuf's JSON writes it; undefined when it is of another type. */
function scalarJson(value: unknown, type: ScalarType): JsonValue | undefined {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return typeof value === "string" ? value : undefined;
  if (type === ScalarType.BOOL) return typeof value === "boolean" ? value : undefined;
  const range = wholeTypes[type];
  if (range === undefined) {
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : undefined;
  }
  const whole = typeof value === "string" && /^-?\d{1,20}$/.test(value) ? BigInt(value) : value;
  const fits = typeof whole === "bigint" && whole >= range.smallest && whole <= range.largest;
  return fits ? whole.toString() : undefined;
}

function wanted(type: ScalarType, value: unknown): string {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) {
    const isPlain = typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";
    return isPlain ? `Give text: write "${value}", with the quotes.` : "Give text.";
  }
  if (type === ScalarType.BOOL) return "Give true or false.";
  const range = wholeTypes[type];
  return range === undefined
    ? "Give a number, like 0.5."
    : `Give a whole number from ${range.smallest} to ${range.largest}.`;
}

function describe(node: Node | undefined): string {
  if (isMap(node)) return "a group of fields";
  if (isSeq(node)) return "a list";
  if (!isScalar(node) || node.value === null) return "empty";
  const { value } = node;
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  return String(value);
}
