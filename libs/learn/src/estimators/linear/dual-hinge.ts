import type { Matrix, SparseMatrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import type { Random } from "../../random.ts";

interface HingeProblem {
  /** +1 or −1 per row. */
  readonly signs: Int8Array;
  readonly weights: Float64Array | undefined;
  readonly l2: number;
  /** Ends when the derivatives of the dual differ by no more than this. */
  readonly tolerance: number;
  readonly maxSweeps: number;
  readonly random: Random;
  readonly pacer: Pacer;
}

/**
 * Minimises Σ wᵣ·max(0, 1 − yᵣ(x·β + b)) + ½·l2·(|β|² + b²) by coordinate descent on the dual with shrinking of rows at their bounds (Hsieh et al. 2008,
 * "A dual coordinate descent method for large-scale linear SVM"). Returns β and b, the latter last.
 */
export async function descendDualHinge(x: Matrix, problem: HingeProblem): Promise<Float64Array> {
  const { signs, weights, random, pacer, l2 } = problem;
  const beta = new Float64Array(x.cols + 1);
  const alpha = new Float64Array(x.rows);
  const squares = squaredLengths(x);
  const order = Int32Array.from({ length: x.rows }, (_, r) => r);
  let active = x.rows;
  let upper = Number.POSITIVE_INFINITY;
  let lower = Number.NEGATIVE_INFINITY;
  for (let sweep = 0; sweep < problem.maxSweeps; sweep++) {
    random.shuffle(order.subarray(0, active));
    let highest = Number.NEGATIVE_INFINITY;
    let lowest = Number.POSITIVE_INFINITY;
    for (let s = 0; s < active; s++) {
      const r = order[s]!;
      const y = signs[r]!;
      const bound = (weights === undefined ? 1 : weights[r]!) / l2;
      const slope = y * score(x, r, beta) - 1;
      const a = alpha[r]!;
      if ((a === 0 && slope > upper) || (a === bound && slope < lower)) {
        active--;
        order[s] = order[active]!;
        order[active] = r;
        s--;
        continue;
      }
      const projected = a === 0 ? Math.min(slope, 0) : a === bound ? Math.max(slope, 0) : slope;
      if (projected > highest) highest = projected;
      if (projected < lowest) lowest = projected;
      if (Math.abs(projected) > 1e-12) {
        const next = Math.min(Math.max(a - slope / squares[r]!, 0), bound);
        alpha[r] = next;
        addRow(x, r, (next - a) * y, beta);
      }
      if ((s & 255) === 255 && pacer.due) await pacer.breathe();
    }
    if (highest - lowest <= problem.tolerance) {
      if (active === x.rows) break;
      active = x.rows;
      upper = Number.POSITIVE_INFINITY;
      lower = Number.NEGATIVE_INFINITY;
      continue;
    }
    upper = highest <= 0 ? Number.POSITIVE_INFINITY : highest;
    lower = lowest >= 0 ? Number.NEGATIVE_INFINITY : lowest;
    if (pacer.due) await pacer.breathe();
  }
  return beta;
}

function score(x: Matrix, r: number, beta: Float64Array): number {
  let sum = beta[x.cols]!;
  if (x.kind === "dense") {
    for (let j = 0, i = r * x.cols; j < x.cols; j++, i++) sum += x.data[i]! * beta[j]!;
  } else {
    const { columns, values, offsets }: SparseMatrix = x;
    for (let i = offsets[r]!; i < offsets[r + 1]!; i++) sum += values[i]! * beta[columns[i]!]!;
  }
  return sum;
}

function addRow(x: Matrix, r: number, factor: number, beta: Float64Array): void {
  beta[x.cols]! += factor;
  if (x.kind === "dense") {
    for (let j = 0, i = r * x.cols; j < x.cols; j++, i++) beta[j]! += x.data[i]! * factor;
  } else {
    for (let i = x.offsets[r]!; i < x.offsets[r + 1]!; i++) beta[x.columns[i]!]! += x.values[i]! * factor;
  }
}

/** |x|² + 1 of each row, the 1 for the intercept. */
function squaredLengths(x: Matrix): Float64Array {
  const squares = new Float64Array(x.rows).fill(1);
  for (let r = 0; r < x.rows; r++) {
    const from = x.kind === "dense" ? r * x.cols : x.offsets[r]!;
    const to = x.kind === "dense" ? from + x.cols : x.offsets[r + 1]!;
    const cells = x.kind === "dense" ? x.data : x.values;
    for (let i = from; i < to; i++) squares[r]! += cells[i]! ** 2;
  }
  return squares;
}
