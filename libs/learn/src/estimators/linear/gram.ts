import type { DenseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
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
  const block = new Float64Array(size * blockRows);
  for (let from = 0; from < x.rows; from += blockRows) {
    const to = Math.min(x.rows, from + blockRows);
    fillBlock(block, x, { from, to, means, y, targetMean, weights });
    addProducts(sums, block, size, to - from);
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

/** Adds the upper triangle of BᵀB, two columns against four at a time: eight sums stay in registers for six loads. */
function addProducts(sums: Float64Array, block: Float64Array, size: number, rows: number): void {
  for (let i = 0; i < size; i += 2) {
    const second = i + 1 < size ? i + 1 : i;
    const a = i * blockRows;
    const b = second * blockRows;
    for (let j = i; j < size; j += 4) {
      const last = size - 1;
      const c = j * blockRows;
      const d = Math.min(j + 1, last) * blockRows;
      const e = Math.min(j + 2, last) * blockRows;
      const f = Math.min(j + 3, last) * blockRows;
      let ac = 0;
      let ad = 0;
      let ae = 0;
      let af = 0;
      let bc = 0;
      let bd = 0;
      let be = 0;
      let bf = 0;
      for (let r = 0; r < rows; r++) {
        const p = block[a + r]!;
        const q = block[b + r]!;
        const s = block[c + r]!;
        const t = block[d + r]!;
        const u = block[e + r]!;
        const v = block[f + r]!;
        ac += p * s;
        bc += q * s;
        ad += p * t;
        bd += q * t;
        ae += p * u;
        be += q * u;
        af += p * v;
        bf += q * v;
      }
      const left = last - j;
      const at = i * size + j;
      sums[at]! += ac;
      if (left > 0) sums[at + 1]! += ad;
      if (left > 1) sums[at + 2]! += ae;
      if (left > 2) sums[at + 3]! += af;
      if (second === i) continue;
      const below = second * size + j;
      sums[below]! += bc;
      if (left > 0) sums[below + 1]! += bd;
      if (left > 1) sums[below + 2]! += be;
      if (left > 2) sums[below + 3]! += bf;
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
