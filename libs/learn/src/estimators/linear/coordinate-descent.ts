import type { Matrix, SparseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import { columnMeans } from "./column-scales.ts";
import type { Gram } from "./gram.ts";

/** The penalties are on means over rows: ½·mean(w·(y − ŷ)²) + l1·|β|₁ + ½·l2·|β|². */
export interface CoordinateProblem {
  readonly l1: number;
  readonly l2: number;
  /** Ends when no weight moved the prediction by more than this share of the target's deviation. */
  readonly tolerance: number;
  readonly maxSweeps: number;
  readonly pacer: Pacer;
  readonly onSweep?: ((sweep: number, largestMove: number) => void) | undefined;
  readonly start?: Float64Array | undefined;
}

/** Cyclic coordinate descent (Friedman, Hastie, Tibshirani 2010) with products of columns: a sweep costs cols², whatever the rows. From `start`, 0 unless given. */
export async function descendOnGram(gram: Gram, problem: CoordinateProblem): Promise<Float64Array> {
  const { cols, products, withTarget, total } = gram;
  const beta = problem.start === undefined ? new Float64Array(cols) : Float64Array.from(problem.start);
  const image = new Float64Array(cols);
  for (let j = 0; j < cols; j++)
    if (beta[j] !== 0) addScaled(image, products.subarray(j * cols, (j + 1) * cols), beta[j]!);
  const spread = Math.sqrt(gram.targetSquares / total);
  for (let sweep = 1; sweep <= problem.maxSweeps; sweep++) {
    let largest = 0;
    for (let j = 0; j < cols; j++) {
      const square = products[j * cols + j]!;
      if (!(square > 1e-24 * gram.means[j]! ** 2 * total)) continue;
      const old = beta[j]!;
      const rho = withTarget[j]! - image[j]! + square * old;
      const next = shrink(rho, total * problem.l1) / (square + total * problem.l2);
      const move = next - old;
      if (move === 0) continue;
      beta[j] = next;
      addScaled(image, products.subarray(j * cols, (j + 1) * cols), move);
      largest = Math.max(largest, Math.abs(move) * Math.sqrt(square / total));
      if ((j & 63) === 63 && problem.pacer.due) await problem.pacer.breathe();
    }
    problem.onSweep?.(sweep, largest);
    if (largest <= problem.tolerance * spread) break;
    if (problem.pacer.due) await problem.pacer.breathe();
  }
  return beta;
}

/** The same with residuals, for rows too wide to multiply out. Columns are centred without being written out, so sparse rows stay sparse. */
export async function descendOnResiduals(
  x: Matrix,
  y: Float64Array,
  { weights, ...problem }: CoordinateProblem & { readonly weights: Float64Array | undefined },
): Promise<{ beta: Float64Array; intercept: number }> {
  const { offsets, rows, values } = columnsOf(x);
  const means = columnMeans(x, weights);
  const weightOf = weights ?? new Float64Array(x.rows).fill(1);
  const total = weightOf.reduce((sum, weight) => sum + weight, 0);
  const targetMean = weightedMean(y, weightOf);
  // The true residual of row r is residual[r] + shift: centring moves all rows alike.
  const residual = y.map((value) => value - targetMean);
  const squares = new Float64Array(x.cols);
  for (let j = 0; j < x.cols; j++) {
    let sum = 0;
    for (let i = offsets[j]!; i < offsets[j + 1]!; i++) sum += weightOf[rows[i]!]! * values[i]! ** 2;
    squares[j] = sum - total * means[j]! ** 2;
  }
  const spread = Math.sqrt(residual.reduce((sum, value, r) => sum + weightOf[r]! * value * value, 0) / total);
  const beta = new Float64Array(x.cols);
  let shift = 0;
  let residualSum = 0;
  for (let sweep = 1; sweep <= problem.maxSweeps; sweep++) {
    let largest = 0;
    for (let j = 0; j < x.cols; j++) {
      const from = offsets[j]!;
      const to = offsets[j + 1]!;
      const mean = means[j]!;
      if (!(squares[j]! > 1e-12 * mean * mean * total) || squares[j]! <= 0) continue;
      let product = 0;
      for (let i = from; i < to; i++) product += weightOf[rows[i]!]! * values[i]! * residual[rows[i]!]!;
      // Σ w (x − x̄)(residual + shift), where Σ w x = W·x̄, so that the shift cancels.
      const old = beta[j]!;
      const rho = product - mean * residualSum + squares[j]! * old;
      const next = shrink(rho, total * problem.l1) / (squares[j]! + total * problem.l2);
      const move = next - old;
      if (problem.pacer.due) await problem.pacer.breathe();
      if (move === 0) continue;
      beta[j] = next;
      for (let i = from; i < to; i++) residual[rows[i]!]! -= move * values[i]!;
      residualSum -= move * mean * total;
      shift += move * mean;
      largest = Math.max(largest, Math.abs(move) * Math.sqrt(squares[j]! / total));
    }
    problem.onSweep?.(sweep, largest);
    if (largest <= problem.tolerance * spread) break;
  }
  return { beta, intercept: targetMean - shift };
}

function weightedMean(y: Float64Array, weights: Float64Array): number {
  let sum = 0;
  let total = 0;
  for (let r = 0; r < y.length; r++) {
    sum += weights[r]! * y[r]!;
    total += weights[r]!;
  }
  return sum / total;
}

export function shrink(value: number, by: number): number {
  if (value > by) return value - by;
  return value < -by ? value + by : 0;
}

function addScaled(sum: Float64Array, row: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += row[i]! * factor;
}

/** Cells by column: of a sparse matrix those it has, of a dense one those that are not 0. */
function columnsOf(x: Matrix): { offsets: Uint32Array; rows: Uint32Array; values: Float32Array } {
  const { offsets, columns, values }: Pick<SparseMatrix, "offsets" | "columns" | "values"> =
    x.kind === "sparse" ? x : denseAsSparse(x.data, x.rows, x.cols);
  const starts = new Uint32Array(x.cols + 1);
  for (let i = 0; i < values.length; i++) starts[columns[i]! + 1]!++;
  for (let j = 0; j < x.cols; j++) starts[j + 1]! += starts[j]!;
  const next = starts.slice();
  const rowOf = new Uint32Array(values.length);
  const sorted = new Float32Array(values.length);
  for (let r = 0; r < x.rows; r++) {
    for (let i = offsets[r]!; i < offsets[r + 1]!; i++) {
      const at = next[columns[i]!]!++;
      rowOf[at] = r;
      sorted[at] = values[i]!;
    }
  }
  return { offsets: starts, rows: rowOf, values: sorted };
}

function denseAsSparse(data: Float32Array, rows: number, cols: number) {
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, r) => r * cols);
  const columns = new Uint32Array(data.length);
  for (let i = 0; i < columns.length; i++) columns[i] = i % cols;
  return { offsets, columns, values: data };
}
