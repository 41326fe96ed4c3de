import type { Batch, ColumnData } from "@aimass/learn";

/** Batches of the same columns as one. Throws nothing: there must be at least one. */
export function concatenated(batches: readonly Batch[]): Batch {
  const [first] = batches;
  if (first === undefined || batches.length === 1) return first ?? { rows: 0, columns: new Map() };
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  const columns = new Map<string, ColumnData>();
  for (const [name, { type }] of first.columns) {
    const parts = batches.map((batch) => batch.columns.get(name) as ColumnData);
    columns.set(
      name,
      columnOf(
        type,
        parts.flatMap(({ values }) => Array.from<unknown>(values)),
      ),
    );
  }
  return { rows, columns };
}

/** A batch in which one column has other rows' values: row r gets that of row `order[r]`. */
export function reordered(batch: Batch, name: string, order: Uint32Array): Batch {
  const { type, values } = batch.columns.get(name) as ColumnData;
  const moved = columnOf(
    type,
    Array.from(order, (row): unknown => values[row]),
  );
  return { ...batch, columns: new Map([...batch.columns, [name, moved]]) };
}

/** A batch without a column: what a model may see of rows is all but what it should tell. */
export function withoutColumn(batch: Batch, name: string): Batch {
  const columns = new Map(batch.columns);
  columns.delete(name);
  return { ...batch, columns };
}

/** The first rows of a batch. */
export function firstRows(batch: Batch, rows: number): Batch {
  if (batch.rows <= rows) return batch;
  const columns = new Map(
    [...batch.columns].map(([name, column]) => [
      name,
      { ...column, values: column.values.slice(0, rows) } as ColumnData,
    ]),
  );
  return { ...batch, rows, columns };
}

function columnOf(type: ColumnData["type"], values: readonly unknown[]): ColumnData {
  if (type === "number") return { type, values: Float64Array.from(values as readonly number[]) };
  if (type === "boolean") return { type, values: Uint8Array.from(values as readonly number[]) };
  return { type, values } as ColumnData;
}
