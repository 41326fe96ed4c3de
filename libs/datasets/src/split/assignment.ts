import { AimassError } from "@aimass/core";
import { type Batch, type ColumnData, takeRows } from "../batch.ts";
import type { Dataset } from "../dataset.ts";
import type { BatchOptions } from "../format-reader.ts";

/** Code of a row that belongs to no part. */
export const unassigned = 255;

/** Says of every row which part it belongs to. */
export interface RowAssignment {
  /** Names of the parts; a part's code is its index. */
  readonly parts: readonly string[];
  /** Columns that `partsOf` needs in the batch. */
  readonly columns: readonly string[];
  /** Part code of each row of a batch of the dataset, or `unassigned`. */
  partsOf(batch: Batch): Uint8Array;
}

/** The rows of a batch that belong to one part. */
export interface SelectedBatch extends Batch {
  /** Index in the file of each row, from 0. */
  readonly rowNumbers: Float64Array;
}

/** The rows of some parts of a dataset, in the file's order; batches have at most `batchRows` rows and are never empty. */
export async function* partBatches(
  dataset: Dataset,
  assignment: RowAssignment,
  parts: readonly string[],
  options: BatchOptions,
): AsyncGenerator<SelectedBatch> {
  const codes = new Set(parts.map((part) => codeOf(assignment, part)));
  const wanted = options.columns ?? dataset.schema.columns.map((column) => column.name);
  const columns = [...new Set([...wanted, ...assignment.columns])];
  for await (const batch of dataset.batches({ ...options, columns })) {
    const assigned = assignment.partsOf(batch);
    const rows = Uint32Array.from(indicesOf(assigned, codes));
    if (rows.length > 0) yield select(batch, rows, new Set(wanted));
  }
}

function codeOf({ parts }: RowAssignment, part: string): number {
  const code = parts.indexOf(part);
  if (code >= 0) return code;
  throw new AimassError("INVALID_ARGUMENT", `There is no part ${JSON.stringify(part)}.`, {
    remedy: `The parts are ${parts.join(", ")}.`,
  });
}

function indicesOf(assigned: Uint8Array, codes: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  for (let row = 0; row < assigned.length; row++) if (codes.has(assigned[row] as number)) rows.push(row);
  return rows;
}

function select(batch: Batch, rows: Uint32Array, wanted: ReadonlySet<string>): SelectedBatch {
  const columns = new Map<string, ColumnData>();
  for (const [name, column] of batch.columns) if (wanted.has(name)) columns.set(name, takeRows(column, rows));
  const rowNumbers = Float64Array.from(rows, (row) => batch.firstRow + row);
  return { rows: rows.length, firstRow: rowNumbers[0] as number, rowNumbers, columns };
}
