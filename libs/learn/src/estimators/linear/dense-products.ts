import type { Matrix } from "../../matrix.ts";
import { scoreRows, stepColumns, sumColumns, type Tile, tileFor } from "./dense-kernels.ts";
import type { Products } from "./row-products.ts";
import { instantiate, type Kernel } from "./wasm.ts";

/** A multiple of the rows of every tile. */
const rowStep = 24;

/** Products of dense rows by vector instructions. Cells have to be finite. */
export class DenseProducts implements Products {
  readonly blockRows: number;
  readonly #cols: number;
  readonly #outputs: number;
  readonly #tile: Tile;
  readonly #steps: number;
  /** [blockRows × cols], from address 0 on. */
  readonly #cells: Float32Array;
  readonly #weights: Float64Array;
  /** Scores, or factors, [blockRows × outputs of all groups]. */
  readonly #scores: Float64Array;
  readonly #sums: Float64Array;
  readonly #scoreRows: Kernel;
  readonly #sumColumns: Kernel;

  constructor(cols: number, outputs: number) {
    const tile = tileFor(outputs);
    const padded = tile.groups * tile.outputs;
    this.blockRows = rowStep * Math.min(40, Math.max(1, Math.floor(8192 / rowStep / cols)));
    this.#cols = cols;
    this.#outputs = outputs;
    this.#tile = tile;
    this.#steps = Math.ceil(cols / stepColumns);
    // The kernels read on behind the last row, by the columns of a tile at most.
    const cells = 16 * Math.ceil((this.blockRows * cols + 2 * tile.pairs + stepColumns) / 4);
    const weights = stepColumns * this.#steps * padded;
    const scores = this.blockRows * padded;
    const sums = 2 * tile.pairs * Math.ceil(cols / (2 * tile.pairs)) * padded;
    const kernels = [scoreRows(cols, tile), sumColumns(cols, tile)];
    const { memory, run } = instantiate(cells + 8 * (weights + scores + sums), kernels);
    this.#cells = new Float32Array(memory, 0, this.blockRows * cols);
    this.#weights = new Float64Array(memory, cells, weights);
    this.#scores = new Float64Array(memory, cells + 8 * weights, scores);
    this.#sums = new Float64Array(memory, cells + 8 * (weights + scores), sums);
    [this.#scoreRows, this.#sumColumns] = run as [Kernel, Kernel];
  }

  use(weights: Float64Array): void {
    const outputs = this.#outputs;
    const { outputs: width } = this.#tile;
    for (let j = 0; j < this.#cols; j++) {
      for (let k = 0; k < outputs; k++) {
        const step = Math.floor(k / width) * this.#steps + (j >> 2);
        this.#weights[2 * ((2 * step + ((j >> 1) & 1)) * width + (k % width)) + (j & 1)] = weights[j * outputs + k]!;
      }
    }
  }

  scores(x: Matrix, from: number, to: number, scores: Float64Array): void {
    if (x.kind !== "dense") return;
    const cols = this.#cols;
    this.#cells.set(x.data.subarray(from * cols, to * cols));
    const [weights, into] = [this.#weights, this.#scores];
    // The weights end where the scores begin.
    this.#scoreRows(0, 4 * cols * (to - from), weights.byteOffset, into.byteOffset, into.byteOffset);
    copyRows(into, this.#padded, scores, this.#outputs, to - from);
  }

  accumulate(_: Matrix, from: number, to: number, factors: Float64Array, sums: Float64Array): void {
    copyRows(factors, this.#outputs, this.#scores, this.#padded, to - from);
    const { byteOffset, byteLength } = this.#sums;
    this.#sumColumns(0, 4 * this.#cols * (to - from), this.#scores.byteOffset, byteOffset, byteOffset + byteLength);
    this.#addTo(sums);
  }

  get #padded(): number {
    return this.#tile.groups * this.#tile.outputs;
  }

  #addTo(sums: Float64Array): void {
    const outputs = this.#outputs;
    const { outputs: width, groups, pairs } = this.#tile;
    const found = this.#sums;
    let at = 0;
    for (let first = 0; first < this.#cols; first += 2 * pairs) {
      for (let group = 0; group < groups; group++) {
        for (let pair = 0; pair < pairs; pair++) {
          const j = first + 2 * pair;
          for (let k = group * width; k < (group + 1) * width; k++, at += 2) {
            if (k >= outputs || j >= this.#cols) continue;
            sums[j * outputs + k]! += found[at]!;
            if (j + 1 < this.#cols) sums[(j + 1) * outputs + k]! += found[at + 1]!;
          }
        }
      }
    }
  }
}

/** Rows of one width into rows of another. */
function copyRows(source: Float64Array, width: number, target: Float64Array, targetWidth: number, rows: number): void {
  if (width === targetWidth) {
    target.set(source.subarray(0, rows * width));
    return;
  }
  const common = Math.min(width, targetWidth);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < common; k++) target[r * targetWidth + k] = source[r * width + k]!;
  }
}
