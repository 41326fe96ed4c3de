import { AimassError } from "@aimass/core";
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

/** The refusal of a column's value, for a reader that can do without the column or take it otherwise. */
class RefusedCell extends AimassError {
  constructor({ code, message, reason, field, remedy }: AimassError) {
    super(code, message, {
      ...(reason !== undefined && { reason }),
      ...(field !== undefined && { field }),
      ...(remedy !== undefined && { remedy }),
    });
  }
}

/** The refusal of a number that text would keep. */
export class InexactCell extends RefusedCell {
  readonly cell: { readonly row: number; readonly column: string; readonly text: string };

  constructor(refusal: AimassError, cell: InexactCell["cell"]) {
    super(refusal);
    this.cell = cell;
  }
}

/** The refusal of a value of a kind that no model takes; `what` ends a sentence about its column. */
export class UnfitColumn extends RefusedCell {
  readonly column: string;
  readonly what: string;

  constructor(refusal: AimassError, column: string, what: string) {
    super(refusal);
    this.column = column;
    this.what = what;
  }
}

export interface FeedOptions {
  readonly file: DataFile;
  readonly limits: Limits;
  readonly column: ParquetColumn;
  readonly wanted: ColumnType;
  readonly signal: AbortSignal | undefined;
}

/** The decoded pages of one column of one row group, one after the other. */
export class ChunkPages {
  readonly #options: FeedOptions;
  readonly #pages: AsyncGenerator<DecodedPage>;
  readonly #groupRows: number;
  /** Rows of the file before the row group. */
  readonly #firstRow: number;
  #read = 0;

  constructor(options: FeedOptions, chunk: ColumnChunk, firstRow: number, groupRows: number) {
    this.#options = options;
    this.#firstRow = firstRow;
    this.#groupRows = groupRows;
    this.#pages = this.#decode(chunk);
  }

  /** The next page; undefined after the last. */
  async next(): Promise<DecodedPage | undefined> {
    const next = await this.#pages.next();
    return next.done === true ? undefined : next.value;
  }

  /** The refusal of a chunk that ends too early. */
  tooShort(): unknown {
    return this.#damaged(new Error(`it ends after ${this.#read} of ${this.#groupRows} rows`));
  }

  /** Ends reading before all rows were taken. */
  async close(): Promise<void> {
    await this.#pages.return(undefined);
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

  #refusal({ index, message, remedy, exact, unfit }: BadValue, present: Uint32Array | undefined): Error {
    const column = this.#options.column.name;
    const row = this.#firstRow + this.#read + (present === undefined ? index : rowOfValue(present, index)) + 1;
    const refusal = badCell({ row, column, problem: message, remedy: remedy(column) });
    if (unfit !== undefined) return new UnfitColumn(refusal, column, unfit);
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
