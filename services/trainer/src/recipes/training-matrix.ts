import { AimassError } from "@aimass/core";
import type { Matrix, SparseMatrix } from "@aimass/learn";

const bytesPerCell = 4;
/** A column's number and a value; twice while the parts are joined. */
const bytesPerElement = 16;

export interface MatrixShape {
  /** There will be. */
  readonly rows: number;
  readonly cols: number;
  readonly layout: Matrix["kind"];
  /** Whether the estimator makes sparse rows dense. */
  readonly writesOut: boolean;
  /** It may take. */
  readonly memoryBytes: number;
}

/** Puts batches of features under one another, as long as they fit into memory. */
export class TrainingMatrix {
  readonly #shape: MatrixShape;
  #parts: SparseMatrix[] = [];
  #dense: Float32Array | undefined;
  #filled = 0;
  #elements = 0;

  constructor(shape: MatrixShape) {
    this.#shape = shape;
    if (shape.layout === "dense" && this.fits) this.#dense = new Float32Array(shape.rows * shape.cols);
  }

  /** Whether what was added so far, or will be for sure, fits. */
  get fits(): boolean {
    const { rows, cols, layout, writesOut, memoryBytes } = this.#shape;
    const dense = layout === "dense" || writesOut ? rows * cols * bytesPerCell : 0;
    return Math.max(dense, this.#elements * bytesPerElement) <= memoryBytes;
  }

  /** Gives back whether it still fits; else it was not added. */
  add(part: Matrix): boolean {
    if (part.kind === "dense") this.#dense?.set(part.data, this.#filled * this.#shape.cols);
    else {
      this.#elements += part.values.length;
      if (!this.fits) return false;
      this.#parts.push(part);
    }
    this.#filled += part.rows;
    return true;
  }

  clear(): void {
    this.#parts = [];
    this.#dense = undefined;
  }

  finish(): Matrix {
    const { rows, cols } = this.#shape;
    if (this.#dense !== undefined) return { kind: "dense", rows, cols, data: this.#dense };
    const offsets = new Uint32Array(rows + 1);
    const columns = new Uint32Array(this.#elements);
    const values = new Float32Array(this.#elements);
    let row = 0;
    let at = 0;
    for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
      for (let r = 1; r <= part.rows; r++) offsets[row + r] = at + (part.offsets[r] as number);
      columns.set(part.columns, at);
      values.set(part.values, at);
      row += part.rows;
      at += part.values.length;
    }
    return { kind: "sparse", rows, cols, offsets, columns, values };
  }
}

export function tooLarge(rows: number, cols: number, memoryBytes: number): AimassError {
  const message = `The training part has ${rows} rows of ${cols} features; that is too much for the ${Math.round(memoryBytes / 2 ** 20)} MiB one worker may give them.`;
  return new AimassError("RESOURCE_EXHAUSTED", message, {
    reason: "TOO_LARGE",
    remedy:
      "Use fewer rows or columns, a recipe that reads rows from disk, such as linear, logistic-regression or gradient-boosting, or a larger AIMASS_TRAINER_WORKER_MEMORY_MB.",
  });
}
