import type { Pacer } from "../../pacer.ts";
import type { NumericTargets } from "../../targets.ts";
import type { RowPasses, WeighedBatch } from "../row-passes.ts";
import { columnMoments } from "./column-scales.ts";
import { eachProducts } from "./products.ts";

/** The normal equations of ridge regression over rows too wide to multiply out. */
interface RidgeProblem {
  readonly l2: number;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly pacer: Pacer;
  readonly onProgress?: ((step: number, steps: number, loss: number) => void) | undefined;
}

/** How often rounding is taken out of a solution that seems to be reached. */
const maxRestarts = 4;

/**
 * Minimises Σ wᵣ(yᵣ − b − xᵣ·β)² + l2·|β|² by conjugate gradients on the normal equations, columns scaled alike; an iteration is a pass over the rows.
 * Columns are centred without being written out, so sparse rows stay sparse. Ends when the gradient is `tolerance` of the first: the gradient that follows
 * from the rows, from which the method starts again if rounding has led it astray.
 */
export async function solveRidgeByGradients(passes: RowPasses<NumericTargets>, problem: RidgeProblem) {
  const equations = await NormalEquations.of(passes, problem);
  const gamma = new Float64Array(passes.cols);
  let size = equations.firstSize;
  const goal = problem.tolerance ** 2 * size;
  let steps = 0;
  for (let restart = 0; restart <= maxRestarts && size > goal && steps < problem.maxIterations; restart++) {
    const residual = restart === 0 ? equations.right : await equations.residual(gamma);
    const found = dot(residual, residual);
    // What no restart makes smaller is rounding.
    if (found <= goal || (restart > 1 && found > size / 4)) break;
    size = found;
    steps = await descend(equations, { gamma, residual: Float64Array.from(residual), goal, steps, problem });
  }
  return equations.solution(gamma);
}

interface Descent {
  readonly gamma: Float64Array;
  readonly residual: Float64Array;
  readonly goal: number;
  readonly steps: number;
  readonly problem: RidgeProblem;
}

/** Moves gamma until the square of the residual is `goal` as far as the method can tell; the steps there were by then. */
async function descend(equations: NormalEquations, { gamma, residual, goal, steps, problem }: Descent) {
  const { maxIterations, onProgress } = problem;
  const direction = Float64Array.from(residual);
  let size = dot(residual, residual);
  let step = steps;
  while (size > goal && step < maxIterations) {
    const image = await equations.image(direction);
    const alpha = size / dot(direction, image);
    for (let j = 0; j < gamma.length; j++) {
      gamma[j]! += alpha * direction[j]!;
      residual[j]! -= alpha * image[j]!;
    }
    const next = dot(residual, residual);
    for (let j = 0; j < gamma.length; j++) direction[j] = residual[j]! + (next / size) * direction[j]!;
    size = next;
    onProgress?.(++step, maxIterations, equations.loss(gamma, residual));
  }
  return step;
}

interface Known {
  readonly means: Float64Array;
  readonly scales: Float64Array;
  readonly total: number;
  readonly targetMean: number;
}

/** D·(XᵀWX + l2·I)·D·γ = D·XᵀW·y for centred X and y, where D makes the diagonal 1; the weights are β = D·γ. */
class NormalEquations {
  /** D·XᵀW·y, the residual of γ = 0. */
  right: Float64Array = new Float64Array(0);
  readonly #passes: RowPasses<NumericTargets>;
  readonly #problem: RidgeProblem;
  readonly #known: Known;
  #targetSquares = 0;

  private constructor(passes: RowPasses<NumericTargets>, problem: RidgeProblem, known: Known) {
    this.#passes = passes;
    this.#problem = problem;
    this.#known = known;
  }

  /** Reads all rows twice. */
  static async of(passes: RowPasses<NumericTargets>, problem: RidgeProblem): Promise<NormalEquations> {
    let targets = 0;
    const { means, squares, total } = await columnMoments(passes, problem.pacer, ({ y, weights }, from, to) => {
      for (let r = from; r < to; r++) targets += y.values[r]! * (weights?.[r] ?? 1);
    });
    const scales = squares.map((square, j) => {
      const shift = means[j]! ** 2 * total;
      const centred = passes.layout === "dense" ? square : square - shift;
      // Below that, a column is constant but for rounding.
      return centred > (passes.layout === "dense" ? 1e-24 : 1e-12) * shift ? 1 / Math.sqrt(centred + problem.l2) : 0;
    });
    const equations = new NormalEquations(passes, problem, { means, scales, total, targetMean: targets / total });
    equations.right = await equations.residual(new Float64Array(means.length));
    return equations;
  }

  get firstSize(): number {
    return dot(this.right, this.right);
  }

  /** The right side less the left. */
  async residual(gamma: Float64Array): Promise<Float64Array> {
    const beta = this.#unscaled(gamma);
    this.#targetSquares = 0;
    const sums = await this.#transposed(beta, ({ y, weights }, from, scores) => {
      for (let i = 0; i < scores.length; i++) {
        const d = y.values[from + i]! - this.#known.targetMean;
        this.#targetSquares += (weights?.[from + i] ?? 1) * d * d;
        scores[i] = d - scores[i]!;
      }
    });
    return sums.map((sum, j) => (sum - this.#problem.l2 * beta[j]!) * this.#known.scales[j]!);
  }

  /** The left side of a direction. */
  async image(gamma: Float64Array): Promise<Float64Array> {
    const beta = this.#unscaled(gamma);
    const sums = await this.#transposed(beta, () => undefined);
    return sums.map((sum, j) => (sum + this.#problem.l2 * beta[j]!) * this.#known.scales[j]!);
  }

  /** Mean squared error of a solution with its residual. */
  loss(gamma: Float64Array, residual: Float64Array): number {
    const beta = this.#unscaled(gamma);
    const explained = dot(gamma, this.right) + dot(gamma, residual) + this.#problem.l2 * dot(beta, beta);
    return Math.max(0, (this.#targetSquares - explained) / this.#known.total);
  }

  solution(gamma: Float64Array): { beta: Float64Array; intercept: number } {
    const beta = this.#unscaled(gamma);
    return { beta, intercept: this.#known.targetMean - dot(beta, this.#known.means) };
  }

  #unscaled(gamma: Float64Array): Float64Array {
    return gamma.map((value, j) => value * this.#known.scales[j]!);
  }

  /** XᵀW·f(X·β) of centred X. */
  async #transposed(
    beta: Float64Array,
    f: (batch: WeighedBatch<NumericTargets>, from: number, scores: Float64Array) => void,
  ): Promise<Float64Array> {
    const { means } = this.#known;
    const shift = dot(beta, means);
    const sums = new Float64Array(means.length);
    let total = 0;
    const { pacer } = this.#problem;
    await eachProducts(this.#passes, 1, pacer, (products, batch, from, to) => {
      const scores = new Float64Array(to - from);
      products.scores(from, to, beta, scores);
      for (let i = 0; i < scores.length; i++) scores[i]! -= shift;
      f(batch, from, scores);
      if (batch.weights !== undefined) for (let i = 0; i < scores.length; i++) scores[i]! *= batch.weights[from + i]!;
      for (let i = 0; i < scores.length; i++) total += scores[i]!;
      products.accumulate(from, to, scores, sums);
    });
    for (let j = 0; j < sums.length; j++) sums[j]! -= total * means[j]!;
    return sums;
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
