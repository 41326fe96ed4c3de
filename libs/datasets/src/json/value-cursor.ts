import { badFile } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { skipSpace, valueEnd } from "./value-end.ts";

/** A member of an object, or an element of an array, as it is written. */
export interface Part {
  /** With its quotes; undefined in arrays. */
  readonly name: Buffer | undefined;
  readonly value: Buffer;
}

const comma = 0x2c;
const colon = 0x3a;
const [openList, openObject, closeList, closeObject] = [0x5b, 0x7b, 0x5d, 0x7d];

export function isList(value: Buffer): boolean {
  return value[0] === openList;
}

export function isObject(value: Buffer): boolean {
  return value[0] === openObject;
}

/** Goes over the parts of one whole object or array in memory, holding none of them. */
export class ValueCursor {
  readonly #bytes: Buffer;
  readonly #isObject: boolean;
  #at = 1;
  #isFirst = true;

  /** Errors: INVALID_ARGUMENT for a value that does not end with the bracket that it begins with. */
  constructor(value: Buffer) {
    this.#bytes = value;
    this.#isObject = isObject(value);
    if (value.at(-1) !== (this.#isObject ? closeObject : closeList)) throw broken();
  }

  /** Undefined at the end. Errors: INVALID_ARGUMENT for what is no JSON. */
  next(): Part | undefined {
    const bytes = this.#bytes;
    this.#at = skipSpace(bytes, this.#at);
    if (this.#at >= bytes.length - 1) return undefined;
    if (!this.#isFirst) this.#at = skipSpace(bytes, this.#at + 1);
    this.#isFirst = false;
    const name = this.#isObject ? this.#name() : undefined;
    const value = this.#value();
    this.#at = skipSpace(bytes, this.#at);
    if (this.#at < bytes.length - 1 && bytes[this.#at] !== comma) throw broken();
    return { name, value };
  }

  #name(): Buffer {
    const name = this.#value();
    this.#at = skipSpace(this.#bytes, this.#at);
    if (name[0] !== 0x22 || this.#bytes[this.#at] !== colon) throw broken();
    this.#at = skipSpace(this.#bytes, this.#at + 1);
    return name;
  }

  #value(): Buffer {
    const end = valueEnd(this.#bytes, this.#at, true);
    if (end === this.#at) throw broken();
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }
}

/** All parts, one by one. */
export function* partsOf(value: Buffer): Generator<Part, void> {
  const cursor = new ValueCursor(value);
  for (let part = cursor.next(); part !== undefined; part = cursor.next()) yield part;
}

/** All parts where these are columns: never more than there may be. Errors: INVALID_ARGUMENT, with reason DATASET_LIMIT for more. */
export function columnsOf(value: Buffer, limits: Limits): Part[] {
  const parts: Part[] = [];
  for (const part of partsOf(value)) {
    if (parts.length >= limits.columns)
      throw overLimit("columns", limits, `The JSON file has at least ${parts.length + 1} columns`);
    parts.push(part);
  }
  return parts;
}

function broken(): Error {
  return badFile(
    "The file is not JSON: a comma, a colon, a bracket or a value is missing, or a comma is too many.",
    "Write it anew.",
  );
}
