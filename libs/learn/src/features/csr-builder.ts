import type { SparseMatrix } from "../matrix.ts";

/** Fills a sparse matrix row by row. */
export class CsrBuilder {
  private readonly cols: number;
  private readonly offsets: Uint32Array;
  private columns: Uint32Array;
  private values: Float32Array;
  private rows = 0;
  private count = 0;

  constructor(rows: number, cols: number, expected = rows * 8) {
    this.cols = cols;
    this.offsets = new Uint32Array(rows + 1);
    this.columns = new Uint32Array(expected);
    this.values = new Float32Array(expected);
  }

  /** Room for the next row's elements, to be filled at once: columns must ascend. */
  row(elements: number): { columns: Uint32Array; values: Float32Array } {
    const start = this.count;
    this.count += elements;
    if (this.count > this.columns.length) this.grow();
    this.offsets[++this.rows] = this.count;
    return { columns: this.columns.subarray(start, this.count), values: this.values.subarray(start, this.count) };
  }

  finish(): SparseMatrix {
    return {
      kind: "sparse",
      rows: this.rows,
      cols: this.cols,
      offsets: this.offsets,
      columns: this.columns.slice(0, this.count),
      values: this.values.slice(0, this.count),
    };
  }

  private grow(): void {
    const room = Math.max(this.count, 2 * this.columns.length);
    const { columns, values } = this;
    this.columns = new Uint32Array(room);
    this.values = new Float32Array(room);
    this.columns.set(columns);
    this.values.set(values);
  }
}
