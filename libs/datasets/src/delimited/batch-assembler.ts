import type { NumberFormat } from "@aimass/core";
import { type Batch, ColumnBuilder, type ColumnData } from "../batch.ts";
import { booleanOf, MissingTokens, notABoolean, notANumber } from "../cells/cell-values.ts";
import { NumberParser } from "../cells/number-parser.ts";
import { TextCache } from "../cells/text-cache.ts";
import type { ColumnSchema } from "../schema.ts";
import type { Records } from "./records.ts";

interface Target {
  readonly column: ColumnSchema;
  readonly cell: number;
  readonly texts: TextCache;
  readonly missing: MissingTokens;
}

export interface AssemblerOptions {
  readonly records: Records;
  /** All columns of the file. */
  readonly names: readonly string[];
  readonly wanted: readonly ColumnSchema[];
  /** Of all columns; the usual ones when undefined. */
  readonly missing: readonly string[] | undefined;
  readonly batchRows: number;
  readonly numbers: NumberFormat;
}

/** Turns the records of a delimited file into batches of typed columns. */
export class BatchAssembler {
  /** Rows of the batch under way. */
  rows = 0;
  readonly #records: Records;
  readonly #batchRows: number;
  readonly #targets: readonly Target[];
  readonly #parser: NumberParser;
  #builders: readonly ColumnBuilder[] = [];
  #firstRow = 0;

  constructor(options: AssemblerOptions) {
    this.#records = options.records;
    this.#parser = new NumberParser(options.numbers);
    const common = new MissingTokens(options.missing);
    this.#batchRows = options.batchRows;
    this.#targets = options.wanted.map((column) => ({
      column,
      cell: options.names.indexOf(column.name),
      texts: new TextCache(),
      missing: column.missing === undefined ? common : new MissingTokens(options.missing, column.missing),
    }));
  }

  get full(): boolean {
    return this.rows === this.#batchRows;
  }

  /** Takes in the current record. */
  add(): void {
    if (this.rows === 0)
      this.#builders = this.#targets.map(({ column }) => new ColumnBuilder(column.type, this.#batchRows));
    for (let index = 0; index < this.#targets.length; index++) {
      const target = this.#targets[index] as Target;
      const builder = this.#builders[index] as ColumnBuilder;
      if (builder.type === "number") this.#number(target, builder);
      else this.#text(target, builder);
    }
    this.rows++;
  }

  /** The batch under way; begins the next. */
  finish(): Batch {
    const columns = new Map<string, ColumnData>();
    for (const [index, { column }] of this.#targets.entries()) {
      columns.set(column.name, (this.#builders[index] as ColumnBuilder).finish(this.rows));
    }
    const batch = { rows: this.rows, firstRow: this.#firstRow, columns };
    this.#firstRow += this.rows;
    this.rows = 0;
    return batch;
  }

  #number({ column, cell, missing }: Target, builder: ColumnBuilder): void {
    const { scanner, bytes } = this.#records;
    const start = scanner.starts[cell] as number;
    const end = scanner.ends[cell] as number;
    if (start === end && missing.empty) return;
    if (scanner.quoting[cell] !== 2 && this.#parser.parse(bytes, start, end)) {
      const { value } = this.#parser;
      if (missing.numeric && missing.hasNumber(value)) return;
      builder.numbers[this.rows] = value;
      return;
    }
    const text = this.#records.text(cell);
    if (!missing.has(text)) throw notANumber(this.#place(column), text);
  }

  #text({ column, cell, texts, missing }: Target, builder: ColumnBuilder): void {
    const { scanner, bytes } = this.#records;
    const text =
      scanner.quoting[cell] === 2
        ? this.#records.text(cell)
        : texts.text(bytes, scanner.starts[cell] as number, scanner.ends[cell] as number);
    if (missing.has(text)) return;
    if (builder.type === "string") {
      builder.strings[this.rows] = text;
      return;
    }
    const value = booleanOf(text);
    if (value === undefined) throw notABoolean(this.#place(column), text);
    builder.booleans[this.rows] = value;
  }

  #place(column: ColumnSchema) {
    const { row, line } = this.#records.scanner;
    return { row, line, column: column.name };
  }
}
