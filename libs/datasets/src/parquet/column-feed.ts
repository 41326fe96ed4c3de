import type { ColumnBuilder } from "../batch.ts";
import type { ChunkPages } from "./chunk-pages.ts";
import type { Converted } from "./conversion.ts";
import type { DecodedPage } from "./page-decoder.ts";

/** Hands out the rows of one column of one row group; holds one page at a time. */
export interface Feed {
  /** Puts the next `rows` rows into a batch, from its row `at` on. */
  take(at: number, rows: number, builders: readonly ColumnBuilder[]): Promise<void>;
  /** Ends reading before all rows were taken. */
  close(): Promise<void>;
}

/** The rows of a flat column. */
export class ColumnFeed implements Feed {
  readonly #pages: ChunkPages;
  readonly #builder: number;
  #page: DecodedPage | undefined;
  #row = 0;
  #value = 0;

  /** `builder`: which of a batch's builders is filled. */
  constructor(pages: ChunkPages, builder: number) {
    this.#pages = pages;
    this.#builder = builder;
  }

  async take(at: number, rows: number, builders: readonly ColumnBuilder[]): Promise<void> {
    const builder = builders[this.#builder] as ColumnBuilder;
    let done = 0;
    while (done < rows) {
      if (this.#page === undefined || this.#row >= this.#page.rows) await this.#nextPage();
      done += this.#copy(builder, at + done, rows - done);
    }
  }

  async close(): Promise<void> {
    await this.#pages.close();
  }

  async #nextPage(): Promise<void> {
    const next = await this.#pages.next();
    if (next === undefined) throw this.#pages.tooShort();
    this.#page = next;
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
}

function put(builder: ColumnBuilder, row: number, from: Converted, index: number): void {
  if (from.type === "number") builder.numbers[row] = from.values[index] as number;
  else if (from.type === "boolean") builder.booleans[row] = from.values[index] as number;
  else builder.strings[row] = from.values[index] as string;
}
