import { isUtf8 } from "node:buffer";
import { separatorLine } from "@aimass/core";
import { BlockReader } from "../block-reader.ts";
import type { ByteStream } from "../byte-stream.ts";
import { badCell } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { endOfLines, skipByteOrderMark } from "../text-file.ts";
import { incomplete, RecordScanner } from "./record-scanner.ts";

export interface RecordsOptions {
  readonly text: ByteStream;
  /** Whether it is the file itself, so that its lines are those of the file. */
  readonly isFile: boolean;
  readonly delimiter: string;
  readonly limits: Limits;
  readonly signal?: AbortSignal | undefined;
}

/** The records of a delimited file. After `advance` said true, the record is in `scanner` and `bytes`. */
export class Records implements Disposable {
  readonly scanner: RecordScanner;
  readonly delimiter: string;
  readonly #blocks: BlockReader;
  readonly #limits: Limits;
  readonly #isFile: boolean;
  #linesEnd = 0;
  #valid = true;
  #started = false;
  #next = 0;

  constructor(options: RecordsOptions) {
    this.delimiter = options.delimiter;
    this.scanner = new RecordScanner({ delimiter: options.delimiter.charCodeAt(0), limits: options.limits });
    this.#blocks = new BlockReader(options.text, options.signal);
    this.#limits = options.limits;
    this.#isFile = options.isFile;
    if (!options.isFile) this.scanner.line = undefined;
  }

  [Symbol.dispose](): void {
    this.#blocks.close();
  }

  get bytes(): Buffer {
    return this.#blocks.bytes;
  }

  /** Scans the next record within the bytes at hand; false: call `fill` first. Blank lines are no records. */
  advance(): boolean {
    const { scanner } = this;
    for (;;) {
      const blocks = this.#blocks;
      if (blocks.position >= this.#linesEnd) return false;
      const next = scanner.next(
        blocks.bytes,
        blocks.position,
        this.#linesEnd,
        blocks.atEnd && this.#linesEnd === blocks.bytes.length,
      );
      if (next === incomplete) return false;
      this.#next = next;
      if (!this.#valid) this.#checkEncoding();
      if (scanner.cells === 1 && scanner.starts[0] === scanner.ends[0] && scanner.quoting[0] === 0) {
        this.take();
        continue;
      }
      if (next - blocks.position > this.#limits.rowBytes) this.#refuseRow(next - blocks.position);
      return true;
    }
  }

  /** Goes past the current record. */
  take(): void {
    this.scanner.taken();
    this.#blocks.position = this.#next;
  }

  /** Brings in more of the file; false at its end. */
  async fill(): Promise<boolean> {
    const blocks = this.#blocks;
    if (this.#started && blocks.atEnd) return false;
    if (blocks.pending > this.#limits.rowBytes) this.#refuseRow(blocks.pending);
    await blocks.more();
    if (!this.#started) {
      this.#started = true;
      if (this.#isFile) this.#skipPreamble();
    }
    this.#linesEnd = endOfLines(blocks.bytes, blocks.position, blocks.atEnd);
    this.#valid = isUtf8(blocks.bytes.subarray(blocks.position, this.#linesEnd));
    return true;
  }

  /** The text of a cell, unquoted. */
  text(cell: number): string {
    const { scanner } = this;
    const text = this.bytes.toString("utf8", scanner.starts[cell], scanner.ends[cell]);
    return scanner.quoting[cell] === 2 ? text.replaceAll('""', '"') : text;
  }

  #skipPreamble(): void {
    const blocks = this.#blocks;
    blocks.position = skipByteOrderMark(blocks.bytes);
    const line = separatorLine.exec(blocks.bytes.toString("utf8", blocks.position, blocks.position + 16));
    if (line === null) return;
    blocks.position += Buffer.byteLength(line[0]);
    this.scanner.line = 2;
  }

  #refuseRow(size: number): never {
    throw overLimit(
      "rowBytes",
      this.#limits,
      `Row ${this.scanner.row} has at least ${size.toLocaleString("en")} bytes`,
    );
  }

  #checkEncoding(): void {
    const { scanner, bytes } = this;
    for (let cell = 0; cell < scanner.cells; cell++) {
      const value = bytes.subarray(scanner.starts[cell], scanner.ends[cell]);
      if (isUtf8(value)) continue;
      throw badCell({
        row: scanner.row,
        line: scanner.line,
        column: scanner.names[cell] ?? `#${cell + 1}`,
        value: value.toString("latin1"),
        problem: "is not UTF-8 (shown here as Latin-1)",
        remedy: "Save the file as UTF-8, or name its encoding: --encoding windows-1252 (in the API: read.encoding).",
      });
    }
  }
}
