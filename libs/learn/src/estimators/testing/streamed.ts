import type { RowStream } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import type { Targets } from "../../targets.ts";

/** The rows in batches of the given sizes, again and again; a batch is spoiled when the next one is asked for. */
export function streamed(x: Matrix, y: Targets, sizes: readonly number[]): RowStream & { readonly passes: number } {
  let passes = 0;
  return {
    rows: x.rows,
    cols: x.cols,
    layout: x.kind,
    targets: y.kind === "numbers" ? { kind: "numbers" } : { kind: "classes", labels: y.labels },
    get passes() {
      return passes;
    },
    async *batches() {
      passes++;
      for (let from = 0, i = 0; from < x.rows; i++) {
        const to = Math.min(x.rows, from + (sizes[i % sizes.length] ?? 1));
        const batch = { x: rowsOf(x, from, to), y: targetsOf(y, from, to) };
        yield batch;
        (batch.x.kind === "dense" ? batch.x.data : batch.x.values).fill(1e6);
        (batch.y.kind === "numbers" ? batch.y.values : batch.y.indices).fill(0);
        from = to;
      }
    },
  };
}

function rowsOf(x: Matrix, from: number, to: number): Matrix {
  if (x.kind === "dense") return { ...x, rows: to - from, data: x.data.slice(from * x.cols, to * x.cols) };
  const [start, end] = [x.offsets[from] ?? 0, x.offsets[to] ?? 0];
  return {
    ...x,
    rows: to - from,
    offsets: x.offsets.slice(from, to + 1).map((offset) => offset - start),
    columns: x.columns.slice(start, end),
    values: x.values.slice(start, end),
  };
}

function targetsOf(y: Targets, from: number, to: number): Targets {
  if (y.kind === "numbers") return { ...y, values: y.values.slice(from, to) };
  return { ...y, indices: y.indices.slice(from, to) };
}
