export type { DenseMatrix, Matrix, SparseMatrix } from "./matrix.ts";
