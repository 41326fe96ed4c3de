import { isUtf8 } from "node:buffer";
import { AimassError, findSeparator, isSeparator, separatorLine } from "@aimass/core";

const quote = 0x22;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const lookedAt = 64 * 1024;

/**
 * Reads CSV (RFC 4180) from its bytes, a row at a time: LF, CRLF or CR between the lines, quotes as in CSV, empty lines passed over. In UTF-8, or in UTF-16 where
 * a byte order mark says so. What stands between cells is found as in the files of datasets (`findSeparator`).
 */
export class CsvReader {
  readonly #bytes: Buffer;
  readonly #delimiter: number;
  #at: number;
  #line = 1;

  /** Throws INVALID_ARGUMENT for what is not UTF-8, nor UTF-16 with a byte order mark, and for a first line that names a separator that cannot be one. */
  constructor(bytes: Uint8Array) {
    this.#bytes = inUtf8(bytes);
    const start = this.#bytes.toString("utf8", 0, lookedAt);
    const marked = start.startsWith("\ufeff");
    const text = marked ? start.slice(1) : start;
    const said = separatorLine.exec(text)?.[0];
    const { separator } = findSeparator(text, ",", this.#bytes.length <= lookedAt);
    if (!isSeparator(separator))
      throw badCsv(
        `its first line says that ${JSON.stringify(separator)} stands between cells`,
        "Use one ASCII character, such as a comma, a semicolon or a tab.",
      );
    this.#delimiter = separator.charCodeAt(0);
    this.#at = (marked ? 3 : 0) + (said?.length ?? 0);
    if (said !== undefined) this.#line = 2;
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
}

function inUtf8(bytes: Uint8Array): Buffer {
  const label = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-16be";
  if (label === "utf-16le" || (bytes[0] === 0xfe && bytes[1] === 0xff)) return fromUtf16(bytes, label);
  if (!isUtf8(bytes)) throw badCsv("it is not UTF-8", "Save it as UTF-8.");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fromUtf16(bytes: Uint8Array, label: "utf-16le" | "utf-16be"): Buffer {
  try {
    return Buffer.from(new TextDecoder(label, { fatal: true }).decode(bytes));
  } catch (cause) {
    throw badCsv("it is not UTF-16, as its byte order mark says", "Save it as UTF-8.", cause);
  }
}

/** The refusal of a body that is not the CSV of a table. */
export function badCsv(what: string, remedy: string, cause?: unknown): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The body is not the CSV of a table: ${what}.`, {
    reason: "MALFORMED_CSV",
    remedy,
    cause,
  });
}
