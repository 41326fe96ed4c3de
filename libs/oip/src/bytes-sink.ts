import type { AimassError } from "@aimass/core";
import type { Cells } from "./cell-meaning.ts";
import { ElementSink } from "./element-sink.ts";
import type { JsonReader } from "./json-reader.ts";
import { type SinkOptions, shownText } from "./number-sinks.ts";

const backslash = 0x5c;
const lengthBytes = 4;

/** BYTES: strings, framed as they come. As cells, null is "", and so is what the column calls missing; numbers and booleans are texts where the column is one. */
export class BytesSink extends ElementSink {
  readonly #cells: SinkOptions["cells"];
  readonly #budget: SinkOptions["budget"];
  #framed: Buffer;
  #size = 0;

  constructor({ place, budget, capacity, cells }: SinkOptions) {
    super("BYTES", place);
    this.#cells = cells;
    this.#budget = budget;
    const bytes = Math.max(64, capacity * (lengthBytes + 4));
    budget.take(bytes);
    this.#framed = Buffer.allocUnsafeSlow(bytes);
  }

  finish(): Uint8Array {
    return new Uint8Array(this.#framed.buffer, this.#framed.byteOffset, this.#size);
  }

  protected cell(text: string): void {
    this.#addText(text);
  }

  protected override text(reader: JsonReader): void {
    const raw = reader.rawString();
    const bytes = reader.bytes.subarray(raw.start, raw.end);
    if (typeof this.#cells === "object" || bytes.includes(backslash)) this.#addText(reader.text(raw));
    else this.#add(bytes);
  }

  protected number(reader: JsonReader): void {
    const written = reader.ascii(reader.numberStart, reader.at);
    const cells = this.#columnOf(written);
    const isLong = reader.isWhole && !Number.isSafeInteger(reader.number);
    if (cells.isGapNumber(reader.number)) this.gap();
    else this.#addText(isLong ? written : String(reader.number));
  }

  protected boolean(value: boolean): void {
    this.#columnOf("a boolean");
    this.#addText(String(value));
  }

  protected gap(): void {
    if (this.#cells === undefined) throw this.#refuse("null");
    this.#add(new Uint8Array(0));
  }

  #columnOf(shown: string): Cells {
    if (typeof this.#cells === "object") return this.#cells;
    throw this.#refuse(shown);
  }

  #addText(text: string): void {
    if (!text.isWellFormed()) throw this.#refuse(shownText(text));
    this.#add(Buffer.from(typeof this.#cells === "object" ? this.#cells.textOf(text) : text));
  }

  #add(bytes: Uint8Array): void {
    const end = this.#size + lengthBytes + bytes.length;
    if (end > this.#framed.length) this.#grow(end);
    this.#framed.writeUInt32LE(bytes.length, this.#size);
    this.#framed.set(bytes, this.#size + lengthBytes);
    this.#size = end;
  }

  #grow(least: number): void {
    const length = Math.max(least, this.#framed.length * 2);
    this.#budget.take(length - this.#framed.length);
    const framed = Buffer.allocUnsafeSlow(length);
    framed.set(this.#framed.subarray(0, this.#size));
    this.#framed = framed;
  }

  #refuse(is: string): AimassError {
    return this.refusal(is, "BYTES elements are strings in JSON; other bytes travel as binary data.");
  }
}
