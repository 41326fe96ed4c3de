import type { WireReader } from "./wire-reader.ts";

/** Fields a message may have: no model has so many inputs and outputs, and millions of fields would take a thread seconds. */
export const mostFields = 65_536;

/** Counts the fields of a message as they are read. */
export class FieldLimit {
  readonly #reader: WireReader;
  #fields = 0;

  constructor(reader: WireReader) {
    this.#reader = reader;
  }

  /** The next field's tag. Throws INVALID_ARGUMENT when there are too many. */
  next(): number {
    this.#fields += 1;
    if (this.#fields > mostFields) throw this.#reader.malformed(`more than ${mostFields} fields`);
    return this.#reader.tag();
  }
}
