import type { Pacer } from "../../pacer.ts";
import type { NumericTargets } from "../../targets.ts";
import type { RowPasses } from "../row-passes.ts";
import { CentredRows } from "./centred-rows.ts";
import { dot } from "./products.ts";

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
  let size = dot(equations.right, equations.right);
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

/** D·(XᵀWX + l2·I)·D·γ = D·XᵀW·y for centred X and y, where D makes the diagonal 1; the weights are β = D·γ. */
class NormalEquations {
  /** D·XᵀW·y, the residual of γ = 0. */
  right: Float64Array = new Float64Array(0);
  readonly #rows: CentredRows;
  readonly #l2: number;
  readonly #scales: Float64Array;

  private constructor(rows: CentredRows, l2: number) {
    this.#rows = rows;
    this.#l2 = l2;
    this.#scales = rows.known.squares.map((square) => (square > 0 ? 1 / Math.sqrt(square + l2) : 0));
  }

  /** Reads all rows twice. */
  static async of(passes: RowPasses<NumericTargets>, { l2, pacer }: RidgeProblem): Promise<NormalEquations> {
    const equations = new NormalEquations(await CentredRows.of(passes, pacer), l2);
    equations.right = await equations.residual(new Float64Array(passes.cols));
    return equations;
  }

  /** The right side less the left. */
  async residual(gamma: Float64Array): Promise<Float64Array> {
    const beta = this.#unscaled(gamma);
    const sums = await this.#rows.residualProducts(beta);
    return sums.map((sum, j) => (sum - this.#l2 * beta[j]!) * this.#scales[j]!);
  }

  /** The left side of a direction. */
  async image(gamma: Float64Array): Promise<Float64Array> {
    const beta = this.#unscaled(gamma);
    const sums = await this.#rows.products(beta);
    return sums.map((sum, j) => (sum + this.#l2 * beta[j]!) * this.#scales[j]!);
  }

  /** Mean squared error of a solution with its residual. */
  loss(gamma: Float64Array, residual: Float64Array): number {
    const beta = this.#unscaled(gamma);
    const { targetSquares, total } = this.#rows.known;
    const explained = dot(gamma, this.right) + dot(gamma, residual) + this.#l2 * dot(beta, beta);
    return Math.max(0, (targetSquares - explained) / total);
  }

  solution(gamma: Float64Array): { beta: Float64Array; intercept: number } {
    const beta = this.#unscaled(gamma);
    return { beta, intercept: this.#rows.intercept(beta) };
  }

  #unscaled(gamma: Float64Array): Float64Array {
    return gamma.map((value, j) => value * this.#scales[j]!);
  }
}
