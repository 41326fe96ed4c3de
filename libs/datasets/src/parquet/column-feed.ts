import { AimassError } from "@aimass/core";
import type { ColumnBuilder } from "../batch.ts";
import { badCell } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { type Limits, overLimit } from "../limits.ts";
import { type ColumnType, quote } from "../schema.ts";
import { BadValue, type Converted } from "./conversion.ts";
import { type DecodedPage, PageDecoder } from "./page-decoder.ts";
import { pagesOf } from "./page-source.ts";
import { type ColumnChunk, damaged, type ParquetColumn } from "./parquet-file.ts";
import type { RawValues } from "./raw-values.ts";
import { retype } from "./retype.ts";

/** The refusal of a number that text would keep. */
export class InexactCell extends AimassError {
  readonly cell: { readonly row: number; readonly column: string; readonly text: string };

  constructor(refusal: AimassError, cell: InexactCell["cell"]) {
    const { reason, field, remedy } = refusal;
    super(refusal.code, refusal.message, {
      ...(reason !== undefined && { reason }),
      ...(field !== undefined && { field }),
      ...(remedy !== undefined && { remedy }),
    });
    this.cell = cell;
  }
}

export interface FeedOptions {
  readonly file: DataFile;
  readonly limits: Limits;
  readonly column: ParquetColumn;
  readonly wanted: ColumnType;
  readonly signal: AbortSignal | undefined;
}

/** Hands out the rows of one column of one row group; holds one page at a time. */
export class ColumnFeed {
  readonly #options: FeedOptions;
  readonly #pages: AsyncGenerator<DecodedPage>;
  readonly #groupRows: number;
  /** Rows of the file before the row group. */
  readonly #firstRow: number;
  #page: DecodedPage | undefined;
  #row = 0;
  #value = 0;
  #read = 0;

  constructor(options: FeedOptions, chunk: ColumnChunk, firstRow: number, groupRows: number) {
    this.#options = options;
    this.#firstRow = firstRow;
    this.#groupRows = groupRows;
    this.#pages = this.#decode(chunk);
  }

  /** Puts the next `rows` rows into a batch, from its row `at` on. */
  async take(builder: ColumnBuilder, at: number, rows: number): Promise<void> {
    let done = 0;
    while (done < rows) {
      if (this.#page === undefined || this.#row >= this.#page.rows) await this.#nextPage();
      done += this.#copy(builder, at + done, rows - done);
    }
  }

  /** Ends reading before all rows were taken. */
  async close(): Promise<void> {
    await this.#pages.return(undefined);
  }

  async #nextPage(): Promise<void> {
    const next = await this.#pages.next();
    if (next.done) throw this.#damaged(new Error(`it ends after ${this.#read} of ${this.#groupRows} rows`));
    this.#page = next.value;
    this.#row = 0;
    this.#value = 0;
  }

  #copy(builder: ColumnBuilder, at: number, most: number): number {
    const page = this.#page as DecodedPage;
    const rows = Math.min(most, page.rows - this.#row);
    for (let i = 0; i < rows; i++) {
      const there = page.present === undefined || page.present[this.#row + i] === 1;
      if (there) put(builder, at + i, page.values, this.#value++);
    }
    this.#row += rows;
    return rows;
  }

  async *#decode(chunk: ColumnChunk): AsyncGenerator<DecodedPage> {
    const { file, limits, column, wanted, signal } = this.#options;
    let present: Uint32Array | undefined;
    const convert = (raw: RawValues) => checkSizes(retype(column.conversion, raw, wanted), limits, column.name);
    const decoder = new PageDecoder(column, chunk.meta.codec, limits, convert);
    try {
      for await (const page of pagesOf(file, chunk, limits, signal)) {
        const decoded = decoder.decode(page, (rows) => {
          present = rows;
        });
        if (decoded === undefined) continue;
        if (this.#read + decoded.rows > this.#groupRows) throw new Error(`it has more than ${this.#groupRows} rows`);
        this.#read += decoded.rows;
        yield decoded;
      }
    } catch (error) {
      throw error instanceof BadValue ? this.#refusal(error, present) : this.#damaged(error);
    }
  }

  #refusal({ index, message, remedy, exact }: BadValue, present: Uint32Array | undefined): Error {
    const column = this.#options.column.name;
    const row = this.#firstRow + this.#read + (present === undefined ? index : rowOfValue(present, index)) + 1;
    const refusal = badCell({ row, column, problem: message, remedy: remedy(column) });
    return exact === undefined ? refusal : new InexactCell(refusal, { row, column, text: exact });
  }

  #damaged(error: unknown): unknown {
    return damaged(
      error,
      `Column ${quote(this.#options.column.name)} of the Parquet file is damaged after row ${this.#firstRow + this.#read}`,
    );
  }
}

function rowOfValue(present: Uint32Array, index: number): number {
  let seen = -1;
  return present.findIndex((one) => {
    seen += one;
    return seen === index;
  });
}

function checkSizes(values: Converted, limits: Limits, name: string): Converted {
  if (values.type !== "string") return values;
  for (const text of values.values) {
    if (text.length <= limits.cellBytes) continue;
    throw overLimit(
      "cellBytes",
      limits,
      `Column ${quote(name)} has a value of ${text.length.toLocaleString("en")} characters`,
    );
  }
  return values;
}

function put(builder: ColumnBuilder, row: number, from: Converted, index: number): void {
  if (from.type === "number") builder.numbers[row] = from.values[index] as number;
  else if (from.type === "boolean") builder.booleans[row] = from.values[index] as number;
  else builder.strings[row] = from.values[index] as string;
}
