import type { DenseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import { ColumnProducts } from "./column-products.ts";
import { columnMeans } from "./column-scales.ts";

/** Products of centred columns: all that least squares needs to know of the rows. */
export interface Gram {
  readonly cols: number;
  /** Σᵣ wᵣ (xᵣᵢ − x̄ᵢ)(xᵣⱼ − x̄ⱼ), [cols × cols], both halves. */
  readonly products: Float64Array;
  /** Σᵣ wᵣ (xᵣⱼ − x̄ⱼ)(yᵣ − ȳ) */
  readonly withTarget: Float64Array;
  readonly means: Float64Array;
  readonly targetMean: number;
  /** Σᵣ wᵣ (yᵣ − ȳ)² */
  readonly targetSquares: number;
  /** Σᵣ wᵣ */
  readonly total: number;
}

const blockRows = 128;

/** Memory quadratic in the columns; time rows × cols² / 2. */
export async function centredGram(
  x: DenseMatrix,
  y: Float64Array,
  { weights, pacer }: { weights: Float64Array | undefined; pacer: Pacer },
): Promise<Gram> {
  const means = columnMeans(x, weights);
  let total = 0;
  let targetSum = 0;
  for (let r = 0; r < x.rows; r++) {
    const weight = weights?.[r] ?? 1;
    total += weight;
    targetSum += weight * y[r]!;
  }
  const targetMean = targetSum / total;
  const size = x.cols + 1;
  const sums = new Float64Array(size * size);
  const products = new ColumnProducts(size, blockRows);
  for (let from = 0; from < x.rows; from += blockRows) {
    const to = Math.min(x.rows, from + blockRows);
    if (to - from < blockRows) products.columns.fill(0);
    fillBlock(products.columns, x, { from, to, means, y, targetMean, weights });
    addProducts(sums, products, size);
    if (pacer.due) await pacer.breathe();
  }
  return split(sums, x.cols, { means, targetMean, total });
}

interface BlockSource {
  readonly from: number;
  readonly to: number;
  readonly means: Float64Array;
  readonly y: Float64Array;
  readonly targetMean: number;
  readonly weights: Float64Array | undefined;
}

/** Columns of centred rows one after the other, the target last; rows are scaled by the root of their weight. */
function fillBlock(block: Float64Array, x: DenseMatrix, source: BlockSource): void {
  const { from, to, means, y, targetMean, weights } = source;
  const { data, cols } = x;
  for (let r = from, i = from * cols; r < to; r++) {
    const at = r - from;
    for (let j = 0; j < cols; j++, i++) block[j * blockRows + at] = data[i]! - means[j]!;
    block[cols * blockRows + at] = y[r]! - targetMean;
  }
  if (weights === undefined) return;
  for (let r = from; r < to; r++) {
    const root = Math.sqrt(weights[r]!);
    for (let j = 0; j <= cols; j++) block[j * blockRows + r - from]! *= root;
  }
}

/** Adds the upper triangle of BᵀB, two columns against four at a time. */
function addProducts(sums: Float64Array, products: ColumnProducts, size: number): void {
  const last = size - 1;
  const found = products.sums;
  for (let i = 0; i < size; i += 2) {
    const second = Math.min(i + 1, last);
    for (let j = i; j < size; j += 4) {
      products.multiply(i, second, j, Math.min(j + 1, last), Math.min(j + 2, last), Math.min(j + 3, last));
      for (let k = 0; k < 4 && j + k < size; k++) {
        sums[i * size + j + k]! += found[2 * k]!;
        if (second > i) sums[second * size + j + k]! += found[2 * k + 1]!;
      }
    }
  }
}

function split(
  sums: Float64Array,
  cols: number,
  known: { means: Float64Array; targetMean: number; total: number },
): Gram {
  const size = cols + 1;
  const products = new Float64Array(cols * cols);
  const withTarget = new Float64Array(cols);
  for (let i = 0; i < cols; i++) {
    for (let j = i; j < cols; j++) products[i * cols + j] = products[j * cols + i] = sums[i * size + j]!;
    withTarget[i] = sums[i * size + cols]!;
  }
  return { cols, products, withTarget, targetSquares: sums[cols * size + cols]!, ...known };
}
