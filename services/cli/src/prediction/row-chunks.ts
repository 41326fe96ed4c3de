import type { Batch, ColumnData } from "@aimass/datasets";
import type { RowEncoder } from "./row-encoder.ts";
import { cellText } from "./table-column.ts";
import type { TableFile } from "./table-file.ts";

/** Rows that are sent together. */
export interface RowChunk {
  /** Of the first row in the file, from 0. */
  readonly firstRow: number;
  /** Each row as JSON. */
  readonly rows: readonly string[];
  /** The cells of a row of the chunk, in the order of the columns. */
  cells(row: number): readonly (string | undefined)[];
}

/** A chunk with so many bytes takes no more rows. */
const mostBytes = 1024 * 1024;

/** Divides a table into chunks of at most `rows` rows; the first `skip` rows are passed over. */
export async function* chunksOf(
  table: TableFile,
  encoder: RowEncoder,
  { rows: mostRows, skip }: { readonly rows: number; readonly skip: number },
): AsyncGenerator<RowChunk> {
  for await (const batch of table.batches(mostRows)) {
    let from = Math.max(0, skip - batch.firstRow);
    while (from < batch.rows) {
      const rows: string[] = [];
      for (let bytes = 0; from + rows.length < batch.rows && bytes < mostBytes; ) {
        const row = encoder.encode(batch, from + rows.length);
        bytes += row.length;
        rows.push(row);
      }
      yield chunkOf(batch, from, rows);
      from += rows.length;
    }
  }
}

function chunkOf(batch: Batch, from: number, rows: readonly string[]): RowChunk {
  const columns: readonly ColumnData[] = [...batch.columns.values()];
  return {
    firstRow: batch.firstRow + from,
    rows,
    cells: (row) => columns.map((column) => cellText(column, from + row)),
  };
}
