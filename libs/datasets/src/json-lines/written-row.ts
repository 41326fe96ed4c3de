import type { JsonScalar } from "./json-scalar.ts";

/** One line of JSON Lines as it is written, for what a parsed number does not keep. */
export class WrittenRow {
  /** Row from 1. */
  row = 0;
  /** Line of the file from 1; undefined where rows are no lines of it. */
  line: number | undefined;
  /** Whether a number has so many digits that a 64-bit float may lose some. */
  hasLongNumbers = false;
  #json = "";
  #numbers: ReadonlyMap<string, string> | undefined;

  /** Goes on to another line. `json` is one flat object. */
  take(json: string, hasLongNumbers: boolean): void {
    this.#json = json;
    this.#numbers = undefined;
    this.hasLongNumbers = hasLongNumbers;
  }

  /** A value of this row as text: a number with the digits it is written with. */
  text(name: string, value: Exclude<JsonScalar, null>): string {
    if (typeof value !== "number") return String(value);
    this.#numbers ??= numbersOf(this.#json);
    return this.#numbers.get(name) ?? String(value);
  }
}

/** The source text of every number of a flat object, by name. */
function numbersOf(json: string): ReadonlyMap<string, string> {
  const numbers = new Map<string, string>();
  JSON.parse(json, (name, value: unknown, context?: { readonly source?: string }) => {
    if (typeof value === "number" && context?.source !== undefined) numbers.set(name, context.source);
    return value;
  });
  return numbers;
}
