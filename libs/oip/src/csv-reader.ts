import { isUtf8 } from "node:buffer";
import { AimassError } from "@aimass/core";

const quote = 0x22;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const delimiters = { comma: 0x2c, semicolon: 0x3b, tab: 0x09 };

/**
 * Reads CSV (RFC 4180) in UTF-8 from its bytes, a row at a time: LF, CRLF or CR between the lines, quotes as in CSV, a byte order mark passed over, and so
 * are empty lines. Cells are parted by commas; by semicolons, or else tabs, where the first line has no comma.
 */
export class CsvReader {
  readonly #bytes: Buffer;
  readonly #delimiter: number;
  #at: number;
  #line = 1;

  /** Throws INVALID_ARGUMENT for what is not UTF-8. */
  constructor(bytes: Uint8Array) {
    if (!isUtf8(bytes)) throw badCsv("it is not UTF-8", "Save it as UTF-8.");
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    this.#delimiter = this.#findDelimiter();
  }

  /** The cells of the next row; undefined at the end. Throws INVALID_ARGUMENT where quotes do not fit together. */
  next(): string[] | undefined {
    while (this.#endOfLine()) this.#skipLineEnd();
    if (this.#at >= this.#bytes.length) return undefined;
    const cells: string[] = [];
    for (;;) {
      cells.push(this.#bytes[this.#at] === quote ? this.#quoted() : this.#plain());
      if (this.#bytes[this.#at] !== this.#delimiter) break;
      this.#at++;
    }
    this.#skipLineEnd();
    return cells;
  }

  #plain(): string {
    const start = this.#at;
    while (this.#at < this.#bytes.length && !this.#endOfLine() && this.#bytes[this.#at] !== this.#delimiter) this.#at++;
    return this.#bytes.toString("utf8", start, this.#at);
  }

  #quoted(): string {
    const line = this.#line;
    let text = "";
    let start = this.#at + 1;
    for (let end = this.#bytes.indexOf(quote, start); end >= 0; end = this.#bytes.indexOf(quote, start)) {
      text += this.#bytes.toString("utf8", start, end);
      this.#at = end + 1;
      const next = this.#bytes[this.#at];
      if (next !== quote) {
        if (next === undefined || next === this.#delimiter || this.#endOfLine()) return this.#counted(text);
        throw badCsv(`text follows a quote in line ${line}`, "Write a quote inside quotes twice.");
      }
      text += '"';
      start = end + 2;
    }
    throw badCsv(`a quote in line ${line} is never closed`, "Close it, or write a quote inside quotes twice.");
  }

  /** Counts the lines inside a cell. */
  #counted(text: string): string {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#line++;
    return text;
  }

  #endOfLine(): boolean {
    const byte = this.#bytes[this.#at];
    return byte === lineFeed || byte === carriageReturn;
  }

  #skipLineEnd(): void {
    if (this.#bytes[this.#at] === carriageReturn && this.#bytes[this.#at + 1] === lineFeed) this.#at++;
    this.#at++;
    this.#line++;
  }

  #findDelimiter(): number {
    const ends = [lineFeed, carriageReturn].map((byte) => this.#bytes.indexOf(byte, this.#at)).filter((at) => at >= 0);
    const first = this.#bytes.subarray(this.#at, Math.min(this.#bytes.length, ...ends));
    const { comma, semicolon, tab } = delimiters;
    return [comma, semicolon, tab].find((byte) => first.includes(byte)) ?? comma;
  }
}

/** The refusal of a body that is not the CSV of a table. */
export function badCsv(what: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The body is not the CSV of a table: ${what}.`, {
    reason: "MALFORMED_CSV",
    remedy,
  });
}
