import { badRow } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { quote as quoteName } from "../schema.ts";

const quote = 0x22;
const lf = 0x0a;
const cr = 0x0d;

/** What `RecordScanner.next` says when the record does not end within the bytes at hand. */
export const incomplete = -1;

export interface ScannerOptions {
  /** One ASCII byte. */
  readonly delimiter: number;
  readonly limits: Limits;
}

/** Finds the cells of one record of delimited text after another (RFC 4180), without making strings. */
export class RecordScanner {
  /** First byte of each cell, without its opening quote. */
  starts = new Int32Array(64);
  /** Byte after the last one of each cell, without its closing quote. */
  ends = new Int32Array(64);
  /** 0 as it stands, 1 quoted, 2 quoted with doubled quotes inside. */
  quoting = new Uint8Array(64);
  /** Cells of the current record. */
  cells = 0;
  /** Line of the file where the current record begins, from 1. */
  line: number | undefined = 1;
  /** Row of data, from 1; 0 is the header. For error messages. */
  row = 0;
  /** Names of the columns once the header was read. For error messages. */
  names: readonly string[] = [];
  readonly #delimiter: number;
  readonly #highest: number;
  readonly #limits: Limits;
  /** Cells that fit into the arrays and the limit. */
  #room: number;
  #lineBreaks = 0;

  constructor(options: ScannerOptions) {
    this.#delimiter = options.delimiter;
    this.#highest = Math.max(options.delimiter, quote);
    this.#limits = options.limits;
    this.#room = Math.min(this.starts.length, options.limits.columns);
  }

  /** Scans the record at `from`; says where the next one begins, or `incomplete`. `final`: nothing follows `end` in the file. */
  next(bytes: Uint8Array, from: number, end: number, final: boolean): number {
    this.cells = 0;
    this.#lineBreaks = 0;
    let at = from;
    for (;;) {
      this.#reserve();
      at = bytes[at] === quote && at < end ? this.#quoted(bytes, at, end, final) : this.#plain(bytes, at, end);
      if (at === incomplete) return incomplete;
      if (at >= end) return final ? end : incomplete;
      const byte = bytes[at];
      if (byte === this.#delimiter) {
        at++;
        continue;
      }
      if (byte === lf) return at + 1;
      if (at + 1 >= end && !final) return incomplete;
      return this.#carriageReturn(bytes, at, end);
    }
  }

  /** To be called when the record was taken in: counts its lines. */
  taken(): void {
    if (this.line !== undefined) this.line += this.#lineBreaks + 1;
  }

  #plain(bytes: Uint8Array, from: number, end: number): number {
    const delimiter = this.#delimiter;
    const highest = this.#highest;
    let at = from;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte > highest) continue;
      if (byte === delimiter || byte === lf || byte === cr) break;
      if (byte === quote) {
        const remedy = 'Put the whole cell in quotes and double the quotes inside: "5"" pipe".';
        throw badRow(
          this.row,
          this.line,
          `${this.#cell(this.cells)} has a quote inside a cell that is not quoted`,
          remedy,
        );
      }
      if (byte === 0) this.#refuseNul();
    }
    this.#add(from, at, 0);
    return at;
  }

  #quoted(bytes: Uint8Array, from: number, end: number, final: boolean): number {
    let doubled = false;
    let at = from + 1;
    for (; ; at++) {
      if (at >= end) return this.#openQuote(at - from, final);
      const byte = bytes[at] as number;
      if (byte > quote) continue;
      if (byte === lf) this.#lineBreaks++;
      else if (byte === 0) this.#refuseNul();
      if (byte !== quote) continue;
      if (at + 1 >= end && !final) return incomplete;
      if (at + 1 >= end || bytes[at + 1] !== quote) break;
      doubled = true;
      at++;
    }
    this.#add(from + 1, at, doubled ? 2 : 1);
    const follower = bytes[at + 1];
    if (at + 1 < end && follower !== this.#delimiter && follower !== lf && follower !== cr) {
      const remedy = "Let the closing quote stand right before the delimiter, and double quotes inside the cell.";
      throw badRow(this.row, this.line, `${this.#cell(this.cells - 1)} goes on after its closing quote`, remedy);
    }
    return at + 1;
  }

  #openQuote(length: number, final: boolean): number {
    if (!final && length <= this.#limits.rowBytes) return incomplete;
    const remedy = "Add the closing quote.";
    throw badRow(this.row, this.line, `the quote that opens ${this.#cell(this.cells)} is never closed`, remedy);
  }

  #carriageReturn(bytes: Uint8Array, at: number, end: number): number {
    if (at + 1 < end && bytes[at + 1] === lf) return at + 2;
    if (at + 1 >= end) return end;
    const remedy = "End lines with LF or CRLF, or put the cell in quotes.";
    throw badRow(
      this.row,
      this.line,
      `${this.#cell(this.cells - 1)} has a carriage return without a line feed`,
      remedy,
    );
  }

  #refuseNul(): never {
    const remedy = "Save the file as UTF-8 text; this may be UTF-16 or a binary file.";
    throw badRow(this.row, this.line, `${this.#cell(this.cells)} has a NUL byte`, remedy);
  }

  #cell(index: number): string {
    const name = this.names[index];
    return name === undefined ? `cell ${index + 1}` : `column ${quoteName(name)}`;
  }

  #add(start: number, end: number, quoting: number): void {
    this.starts[this.cells] = start;
    this.ends[this.cells] = end;
    this.quoting[this.cells] = quoting;
    this.cells++;
    const size = end - start;
    if (size <= this.#limits.cellBytes) return;
    throw overLimit(
      "cellBytes",
      this.#limits,
      `Row ${this.row}: cell ${this.cells} has ${size.toLocaleString("en")} bytes`,
    );
  }

  #reserve(): void {
    if (this.cells < this.#room) return;
    if (this.cells >= this.#limits.columns) {
      throw overLimit(
        "columns",
        this.#limits,
        `Row ${this.row} has more than ${this.cells.toLocaleString("en")} cells`,
      );
    }
    this.starts = grown(this.starts, new Int32Array(this.cells * 2));
    this.ends = grown(this.ends, new Int32Array(this.cells * 2));
    this.quoting = grown(this.quoting, new Uint8Array(this.cells * 2));
    this.#room = Math.min(this.starts.length, this.#limits.columns);
  }
}

function grown<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
