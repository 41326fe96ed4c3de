import type { DenseMatrix, Matrix, SparseMatrix } from "../matrix.ts";
import { CsrBuilder } from "./csr-builder.ts";

/** Matrices of the same rows side by side, dense. */
export function joinDense(parts: readonly Matrix[], rows: number): DenseMatrix {
  const [only] = parts;
  if (parts.length === 1 && only?.kind === "dense") return only;
  const cols = widthOf(parts);
  const data = new Float32Array(rows * cols);
  let left = 0;
  for (const part of parts) {
    if (part.kind === "dense") placeDense(part, data, cols, left);
    else placeSparse(part, data, cols, left);
    left += part.cols;
  }
  return { kind: "dense", rows, cols, data };
}

/** Matrices of the same rows side by side, sparse: zeros of dense ones are left out. */
export function joinSparse(parts: readonly Matrix[], rows: number): SparseMatrix {
  const [only] = parts;
  if (parts.length === 1 && only?.kind === "sparse") return only;
  const lefts = parts.map((_, index) => widthOf(parts.slice(0, index)));
  const joined = new CsrBuilder(rows, widthOf(parts));
  for (let row = 0; row < rows; row++) {
    const { columns, values } = joined.row(parts.reduce((sum, part) => sum + elements(part, row), 0));
    let at = 0;
    parts.forEach((part, index) => {
      at = copyRow(part, row, lefts[index] as number, columns, values, at);
    });
  }
  return joined.finish();
}

function widthOf(parts: readonly Matrix[]): number {
  return parts.reduce((sum, part) => sum + part.cols, 0);
}

function placeDense({ rows, cols, data }: DenseMatrix, target: Float32Array, width: number, left: number): void {
  for (let row = 0; row < rows; row++) target.set(data.subarray(row * cols, (row + 1) * cols), row * width + left);
}

function placeSparse(part: SparseMatrix, target: Float32Array, width: number, left: number): void {
  for (let row = 0; row < part.rows; row++) {
    for (let i = part.offsets[row] as number; i < (part.offsets[row + 1] as number); i++) {
      target[row * width + left + (part.columns[i] as number)] = part.values[i] as number;
    }
  }
}

function elements(part: Matrix, row: number): number {
  if (part.kind === "sparse") return (part.offsets[row + 1] as number) - (part.offsets[row] as number);
  let count = 0;
  for (let i = row * part.cols; i < (row + 1) * part.cols; i++) if (part.data[i] !== 0) count++;
  return count;
}

function copyRow(
  part: Matrix,
  row: number,
  left: number,
  columns: Uint32Array,
  values: Float32Array,
  start: number,
): number {
  let at = start;
  const put = (column: number, value: number) => {
    columns[at] = left + column;
    values[at++] = value;
  };
  if (part.kind === "sparse") {
    for (let i = part.offsets[row] as number; i < (part.offsets[row + 1] as number); i++) {
      put(part.columns[i] as number, part.values[i] as number);
    }
    return at;
  }
  for (let column = 0; column < part.cols; column++) {
    const value = part.data[row * part.cols + column] as number;
    if (value !== 0) put(column, value);
  }
  return at;
}
