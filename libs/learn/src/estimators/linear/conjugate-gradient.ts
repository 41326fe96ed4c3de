import type { Matrix } from "../../matrix.ts";
import type { Pacer } from "../../pacer.ts";
import { columnMeans } from "./column-scales.ts";
import { productsOf } from "./products.ts";

/** The normal equations of ridge regression over rows too wide to multiply out. */
interface RidgeProblem {
  readonly weights: Float64Array | undefined;
  readonly l2: number;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly pacer: Pacer;
  readonly onProgress?: ((step: number, steps: number, loss: number) => void) | undefined;
}

/**
 * Minimises Σ wᵣ(yᵣ − b − xᵣ·β)² + l2·|β|² by conjugate gradients on the normal equations (CGLS, Björck 1996). Columns are centred without being written
 * out, so sparse rows stay sparse. Ends when the gradient is `tolerance` of the first.
 */
export async function solveRidgeByGradients(x: Matrix, y: Float64Array, problem: RidgeProblem) {
  const { weights, l2, tolerance, maxIterations, pacer, onProgress } = problem;
  const means = columnMeans(x, weights);
  const roots = weights?.map(Math.sqrt);
  const targetMean = weightedMean(y, weights);
  const operator = new CentredOperator(x, means, roots, pacer);
  const residual = y.map((value, r) => (value - targetMean) * (roots?.[r] ?? 1));
  const beta = new Float64Array(x.cols);
  let gradient = await operator.transposed(residual);
  const direction = Float64Array.from(gradient);
  let size = dot(gradient, gradient);
  const first = size;
  for (let step = 1; step <= maxIterations && size > tolerance ** 2 * first && size > 0; step++) {
    const image = await operator.forward(direction);
    const alpha = size / (dot(image, image) + l2 * dot(direction, direction));
    for (let j = 0; j < x.cols; j++) beta[j]! += alpha * direction[j]!;
    for (let r = 0; r < x.rows; r++) residual[r]! -= alpha * image[r]!;
    gradient = await operator.transposed(residual);
    for (let j = 0; j < x.cols; j++) gradient[j]! -= l2 * beta[j]!;
    const next = dot(gradient, gradient);
    for (let j = 0; j < x.cols; j++) direction[j] = gradient[j]! + (next / size) * direction[j]!;
    size = next;
    onProgress?.(step, maxIterations, dot(residual, residual) / x.rows);
  }
  return { beta, intercept: targetMean - dot(beta, means) };
}

/** √W·(X − 1·x̄ᵀ) and its transpose. */
class CentredOperator {
  readonly #x: Matrix;
  readonly #means: Float64Array;
  readonly #roots: Float64Array | undefined;
  readonly #pacer: Pacer;

  constructor(x: Matrix, means: Float64Array, roots: Float64Array | undefined, pacer: Pacer) {
    this.#x = x;
    this.#means = means;
    this.#roots = roots;
    this.#pacer = pacer;
  }

  async forward(v: Float64Array): Promise<Float64Array> {
    const products = productsOf(this.#x, 1);
    const result = new Float64Array(this.#x.rows);
    const shift = dot(v, this.#means);
    for (let from = 0; from < this.#x.rows; from += products.blockRows) {
      const to = Math.min(this.#x.rows, from + products.blockRows);
      products.scores(from, to, v, result.subarray(from, to));
      if (this.#pacer.due) await this.#pacer.breathe();
    }
    for (let r = 0; r < result.length; r++) result[r] = (result[r]! - shift) * (this.#roots?.[r] ?? 1);
    return result;
  }

  async transposed(u: Float64Array): Promise<Float64Array> {
    const products = productsOf(this.#x, 1);
    const scaled = this.#roots === undefined ? u : u.map((value, r) => value * this.#roots![r]!);
    const result = new Float64Array(this.#x.cols);
    for (let from = 0; from < this.#x.rows; from += products.blockRows) {
      const to = Math.min(this.#x.rows, from + products.blockRows);
      products.accumulate(from, to, scaled.subarray(from, to), result);
      if (this.#pacer.due) await this.#pacer.breathe();
    }
    const sum = scaled.reduce((total, value) => total + value, 0);
    for (let j = 0; j < result.length; j++) result[j]! -= sum * this.#means[j]!;
    return result;
  }
}

export function weightedMean(y: Float64Array, weights: Float64Array | undefined): number {
  let sum = 0;
  let total = 0;
  for (let r = 0; r < y.length; r++) {
    const weight = weights?.[r] ?? 1;
    sum += weight * y[r]!;
    total += weight;
  }
  return sum / total;
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
