import { BlockReader } from "../block-reader.ts";
import type { ByteStream } from "../byte-stream.ts";
import { badFile } from "../cells/bad-cell.ts";
import { refuseNoText } from "../text-file.ts";
import { valueEnd } from "./value-end.ts";

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** JSON from front to back, value by value, without a tree of it. Moves over values that are no JSON, too, which is seen when they are parsed. */
export class JsonText implements Disposable {
  readonly #blocks: BlockReader;
  /** Of the next byte, counted from the first that is kept. */
  #at = 0;
  #started = false;

  constructor(text: ByteStream, signal: AbortSignal | undefined) {
    this.#blocks = new BlockReader(text, signal);
  }

  [Symbol.dispose](): void {
    this.#blocks.close();
  }

  /** Where the text stands, to `rewind` to; until the next `release`. */
  get mark(): number {
    return this.#at;
  }

  rewind(mark: number): void {
    this.#at = mark;
  }

  /** Gives up what was gone past. */
  release(): void {
    this.#blocks.position += this.#at;
    this.#at = 0;
  }

  /** The next character that is no white space; "" at the end. */
  async peek(): Promise<string> {
    for (;;) {
      const { bytes, position } = this.#blocks;
      for (let at = position + this.#at; at < bytes.length; at++) {
        const byte = bytes[at] as number;
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
        this.#at = at - position;
        return String.fromCharCode(byte);
      }
      this.#at = bytes.length - position;
      if (this.#blocks.atEnd) return "";
      await this.#more();
    }
  }

  /** Goes past one of these characters, which comes next; says which. */
  async take(expected: string): Promise<string> {
    const next = await this.peek();
    if (next === "") throw badFile("The JSON is cut off.", "Upload the whole file.");
    if (!expected.includes(next)) {
      const wanted = expected.split("").join(" or ");
      throw badFile(`The file is not JSON: there is ${JSON.stringify(next)} instead of ${wanted}.`, "Write it anew.");
    }
    this.#at++;
    return next;
  }

  /** Goes past the next value. Undefined, and without going anywhere, when it is longer than `most` bytes. */
  async value(most: number): Promise<Buffer | undefined> {
    const next = await this.peek();
    if (next !== "" && ",:]}".includes(next)) {
      throw badFile(
        `The file is not JSON: there is ${JSON.stringify(next)} instead of a value.`,
        "JSON has no comma before a closing bracket, and none twice. Write it anew.",
      );
    }
    for (;;) {
      const { bytes, position, atEnd } = this.#blocks;
      const start = position + this.#at;
      const end = valueEnd(bytes, start, atEnd);
      if (end > start) {
        if (end - start > most) return undefined;
        this.#at = end - position;
        return bytes.subarray(start, end);
      }
      if (atEnd) throw badFile("The JSON is cut off.", "Upload the whole file.");
      if (bytes.length - start > most) return undefined;
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    await this.#blocks.more();
    if (!this.#started) refuseNoText(this.#blocks.bytes);
    if (!this.#started && this.#blocks.bytes.subarray(0, 3).equals(byteOrderMark)) this.#at = 3;
    this.#started = true;
  }

  /** Errors: INVALID_ARGUMENT when anything but white space follows. */
  async end(): Promise<void> {
    if ((await this.peek()) !== "") throw badFile("Something follows after the end of the JSON.", "Write it anew.");
  }
}
