import { badFile } from "../cells/bad-cell.ts";
import { skipSpace, valueEnd } from "./value-end.ts";

/** A member of an object, or an element of an array, as it is written. */
export interface Part {
  /** With its quotes; undefined in arrays. */
  readonly name: Buffer | undefined;
  readonly value: Buffer;
}

const comma = 0x2c;
const colon = 0x3a;

/** Goes over the parts of one whole object or array in memory. */
export class ValueCursor {
  readonly #bytes: Buffer;
  readonly #isObject: boolean;
  #at = 1;

  /** `value` begins with its bracket and ends with it. */
  constructor(value: Buffer) {
    this.#bytes = value;
    this.#isObject = value[0] === 0x7b;
  }

  /** Undefined at the end. Errors: INVALID_ARGUMENT for what is no JSON. */
  next(): Part | undefined {
    const bytes = this.#bytes;
    this.#at = skipSpace(bytes, this.#at);
    if (this.#at >= bytes.length - 1) return undefined;
    if (this.#at > 1 && bytes[this.#at] === comma) this.#at = skipSpace(bytes, this.#at + 1);
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

/** All parts. */
export function partsOf(value: Buffer): Part[] {
  const cursor = new ValueCursor(value);
  const parts: Part[] = [];
  for (let part = cursor.next(); part !== undefined; part = cursor.next()) parts.push(part);
  return parts;
}

function broken(): Error {
  return badFile("The file is not JSON: a comma, a colon or a value is missing.", "Write it anew.");
}
