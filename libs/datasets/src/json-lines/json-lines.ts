import { isUtf8 } from "node:buffer";
import { BlockReader } from "../block-reader.ts";
import { badRow } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { endOfLines, skipByteOrderMark } from "../text-file.ts";
import type { JsonValue } from "./json-scalar.ts";
import { lineShape } from "./line-shape.ts";
import type { RowText } from "./row-text.ts";
import { WrittenRow } from "./written-row.ts";

const lf = 0x0a;
const deepest = 64;
const remedy = 'Write one flat object a line, such as {"age": 31, "city": "Paris"}.';

/** The objects of a JSON Lines file, one line each; blank lines are skipped. */
export class JsonLines implements Disposable {
  /** The current object as it is written. */
  readonly written = new WrittenRow();
  readonly #blocks: BlockReader;
  readonly #limits: Limits;
  readonly #areLines: boolean;
  #linesEnd = 0;
  #started = false;

  constructor({ text, areLines }: RowText, limits: Limits, signal: AbortSignal | undefined) {
    this.#blocks = new BlockReader(text, signal);
    this.#areLines = areLines;
    this.#limits = limits;
  }

  [Symbol.dispose](): void {
    this.#blocks.close();
  }

  /** The next object among the bytes at hand; undefined: call `fill`. */
  next(): Readonly<Record<string, JsonValue>> | undefined {
    const blocks = this.#blocks;
    while (blocks.position < this.#linesEnd) {
      const start = blocks.position;
      const found = blocks.bytes.indexOf(lf, start);
      const end = found < 0 || found >= this.#linesEnd ? this.#linesEnd : found;
      blocks.position = Math.min(end + 1, this.#linesEnd);
      if (this.#areLines) this.written.line = (this.written.line ?? 0) + 1;
      if (isBlank(blocks.bytes, start, end)) continue;
      this.written.row++;
      return this.#parse(start, end);
    }
    return undefined;
  }

  /** Brings in more of the file; false at its end. */
  async fill(): Promise<boolean> {
    const blocks = this.#blocks;
    if (this.#started && blocks.atEnd) return false;
    if (blocks.pending > this.#limits.rowBytes) this.#refuseLength(this.written.row + 1, blocks.pending);
    await blocks.more();
    if (!this.#started && this.#areLines) blocks.position = skipByteOrderMark(blocks.bytes);
    this.#started = true;
    this.#linesEnd = endOfLines(blocks.bytes, blocks.position, blocks.atEnd);
    return true;
  }

  #parse(start: number, end: number): Readonly<Record<string, JsonValue>> {
    const { bytes } = this.#blocks;
    if (end - start > this.#limits.rowBytes) this.#refuseLength(this.written.row, end - start);
    if (!isUtf8(bytes.subarray(start, end))) throw this.#bad("the text is not UTF-8", "Save the file as UTF-8.");
    const shape = lineShape(bytes, start, end);
    if (shape.members > this.#limits.columns) {
      throw overLimit(
        "columns",
        this.#limits,
        `Row ${this.written.row} has ${shape.members.toLocaleString("en")} values`,
      );
    }
    if (shape.depth > deepest)
      throw this.#bad(`there is an object or a list inside the object, more than ${deepest} deep`, remedy);
    const json = bytes.toString("utf8", start, end);
    this.written.take(json, shape.hasLongNumbers);
    const value = this.#value(json);
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.#bad("this is no object", remedy);
    const members = Object.keys(value).length;
    if (members !== shape.members) throw this.#bad("a name occurs twice in the object", "Name every value once.");
    return value as Record<string, JsonValue>;
  }

  #value(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.replace(/, ?"[\s\S]*$| in JSON at.*$/, "") : "";
      throw this.#bad(`this is not JSON${reason === "" ? "" : ` (${reason})`}`, remedy);
    }
  }

  #bad(problem: string, advice: string): Error {
    return badRow(this.written.row, this.written.line, problem, advice);
  }

  #refuseLength(row: number, size: number): never {
    throw overLimit("rowBytes", this.#limits, `Row ${row} has at least ${size.toLocaleString("en")} bytes`);
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}
