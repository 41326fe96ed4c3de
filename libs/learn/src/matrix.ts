/** Rows of features. Dense is row-major; sparse is compressed sparse row (CSR), for text and other wide features. */
export type Matrix = DenseMatrix | SparseMatrix;

/** Row-major: element (r, c) is `data[r * cols + c]`. */
export interface DenseMatrix {
  readonly kind: "dense";
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array;
}

/** CSR: row r has `values[i]` in column `columns[i]` for i from `offsets[r]` to `offsets[r + 1]`; columns ascend within a row. */
export interface SparseMatrix {
  readonly kind: "sparse";
  readonly rows: number;
  readonly cols: number;
  readonly offsets: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}
