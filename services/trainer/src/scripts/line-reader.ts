import { StringDecoder } from "node:string_decoder";

const longestLine = 4000;
const mostLinesOfChunk = 200;
/** Everything a terminal would act on, and what no database stores. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const control = /\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/**
 * Cuts what a program prints into lines, in constant memory: a line ends at 4000 characters and the rest of it is dropped; of a chunk with more than 200 lines
 * only the last are told. A carriage return starts the line again, as progress bars want it.
 */
export class LineReader {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #line = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    const parts = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)).split("\n");
    const last = parts.pop() ?? "";
    const leftOut = parts.length - mostLinesOfChunk;
    for (const [i, part] of parts.entries()) {
      if (i === leftOut) this.#onLine(`[${leftOut} lines left out]`);
      if (i >= leftOut) this.#tell(this.#line + part);
      this.#line = "";
    }
    this.#keep(last);
  }

  /** Tells what is left. */
  end(): void {
    this.#keep(this.#decoder.end());
    if (this.#line !== "") this.#tell(this.#line);
    this.#line = "";
  }

  #keep(part: string): void {
    const text = this.#line + part;
    // A carriage return at the very end may belong to a line feed that is still to come.
    const from = text.lastIndexOf("\r", Math.max(0, text.length - 2)) + 1;
    this.#line = text.slice(from, from + longestLine + 1);
  }

  #tell(text: string): void {
    const ended = text.endsWith("\r") ? text.slice(0, -1) : text;
    const shown = ended.slice(ended.lastIndexOf("\r") + 1).replace(control, "");
    this.#onLine((shown.length > longestLine ? `${shown.slice(0, longestLine - 1)}…` : shown).toWellFormed());
  }
}
