import { AimassError } from "@aimass/core";
import type { Matrix, SparseMatrix } from "@aimass/learn";

/** Cells (dense) or elements (sparse) of a training matrix: 1 GiB, 2 GiB. */
const mostCells = 2 ** 28;

/** Puts batches of features under one another. */
export class TrainingMatrix {
  readonly #rows: number;
  readonly #cols: number;
  readonly #parts: SparseMatrix[] = [];
  #dense: Float32Array | undefined;
  #filled = 0;
  #elements = 0;

  /** `rows` there will be. Throws RESOURCE_EXHAUSTED. */
  constructor(rows: number, cols: number, layout: Matrix["kind"]) {
    this.#rows = rows;
    this.#cols = cols;
    if (layout === "sparse") return;
    if (rows * cols > mostCells) throw tooLarge(`${rows} rows of ${cols} features`);
    this.#dense = new Float32Array(rows * cols);
  }

  add(part: Matrix): void {
    if (part.kind === "dense") this.#dense?.set(part.data, this.#filled * this.#cols);
    else {
      this.#parts.push(part);
      this.#elements += part.values.length;
      if (this.#elements > mostCells) throw tooLarge(`${this.#rows} rows with more than ${mostCells} features in all`);
    }
    this.#filled += part.rows;
  }

  finish(): Matrix {
    const [rows, cols] = [this.#rows, this.#cols];
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

function tooLarge(what: string): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `The training part has ${what}; that is too much for one worker.`, {
    reason: "TOO_LARGE",
    remedy: "Use fewer rows or columns, or a recipe that uses sparse rows, such as logistic-regression.",
  });
}
