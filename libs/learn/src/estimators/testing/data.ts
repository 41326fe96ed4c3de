import type { DenseMatrix, SparseMatrix } from "../../matrix.ts";
import { Random } from "../../random.ts";
import type { ClassTargets, NumericTargets } from "../../targets.ts";

export function dense(rows: readonly (readonly number[])[]): DenseMatrix {
  return { kind: "dense", rows: rows.length, cols: rows[0]?.length ?? 0, data: Float32Array.from(rows.flat()) };
}

export function numbers(...values: number[]): NumericTargets {
  return { kind: "numbers", values: Float64Array.from(values) };
}

/** Classes by index, named "a", "b", …. */
export function classes(indices: Iterable<number>, count?: number): ClassTargets {
  const all = Int32Array.from(indices);
  const names = count ?? Math.max(...all) + 1;
  const values = Array.from({ length: names }, (_, c) => String.fromCharCode(97 + c));
  return { kind: "classes", indices: all, labels: { datatype: "BYTES", values } };
}

/** The same rows without their zeros. */
export function sparse({ rows, cols, data }: DenseMatrix): SparseMatrix {
  const offsets = new Uint32Array(rows + 1);
  const columns: number[] = [];
  const values: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < cols; j++) {
      if (data[r * cols + j] === 0) continue;
      columns.push(j);
      values.push(data[r * cols + j]!);
    }
    offsets[r + 1] = columns.length;
  }
  return { kind: "sparse", rows, cols, offsets, columns: Uint32Array.from(columns), values: Float32Array.from(values) };
}

/** Normal features, some of them in other units or with gaps, and targets that follow from the first three and noise. */
export function drawn(o: {
  seed: number;
  rows: number;
  cols: number;
  classes: number;
  zeros?: number;
  missing?: number;
}) {
  const random = new Random(o.seed);
  const data = new Float32Array(o.rows * o.cols);
  const values = new Float64Array(o.rows);
  const indices = new Int32Array(o.rows);
  for (let r = 0; r < o.rows; r++) {
    for (let j = 0; j < o.cols; j++) {
      const cell = random.normal() * (j % 3 === 1 ? 10 : 1) + (j % 4 === 2 ? 5 : 0);
      data[r * o.cols + j] = random.next() < (o.zeros ?? 0) ? 0 : cell;
    }
    const [a = 0, b = 0, c = 0] = data.subarray(r * o.cols, r * o.cols + 3);
    const value = 2 * a - 0.1 * b + Math.sin(c) + 0.2 * random.normal();
    values[r] = value;
    indices[r] = Math.min(o.classes - 1, Math.max(0, Math.floor((value + 3) / (6 / o.classes))));
    for (let j = 0; j < o.cols; j++) if (random.next() < (o.missing ?? 0)) data[r * o.cols + j] = Number.NaN;
  }
  // The first rows have one of each class, so that every draw can be learned from.
  for (let c = 0; c < o.classes; c++) indices[c] = c;
  const x: DenseMatrix = { kind: "dense", rows: o.rows, cols: o.cols, data };
  return { x, numbers: { kind: "numbers", values } as NumericTargets, classes: classes(indices, o.classes) };
}
