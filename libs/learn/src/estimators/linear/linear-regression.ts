import type { Estimator, FitOptions, Fitted, RowStream } from "../../estimator.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import { numericRows, rowsInMemory } from "../row-passes.ts";
import { solveCholesky } from "./cholesky.ts";
import { solveRidgeByGradients } from "./conjugate-gradient.ts";
import { checkedGram, type Gram } from "./gram.ts";
import { LinearRegressor } from "./linear-regressor.ts";
import { dot } from "./products.ts";

/** Columns up to which products of all pairs are worked out. */
const widestGram = 2048;

/**
 * Minimises Σ wᵣ(yᵣ − b − xᵣ·β)² + l2·|β|²; the intercept b is free. In closed form up to 2048 dense columns, after one pass over
 * the rows; else by conjugate gradients, two passes and one for each iteration. Memory is that of a batch and 4 · cols² or 80 · cols bytes.
 */
export const linearRegression: Estimator = {
  name: "linear-regression",
  task: "regression",
  description: "Linear and ridge regression. Fast, exact, and a baseline for everything else.",
  parameters: [
    {
      kind: "number",
      name: "l2",
      default: 1,
      minimum: 0,
      maximum: 1e12,
      meaning: "Strength of the penalty on squared weights; 0 is ordinary least squares.",
      search: { scale: "log", from: 1e-4, to: 1e4 },
    },
  ],
  sparse: true,
  missing: false,
  fit: (x, y, options) => fitStream(rowsInMemory(x, y), options),
  fitStream,
  fromJson: (json) => LinearRegressor.fromJson(json),
};

async function fitStream(rows: RowStream, options: FitOptions): Promise<Fitted> {
  const { l2 } = resolveParameters<{ l2: number }>(linearRegression.parameters, options.parameters);
  const pacer = new Pacer(options.signal);
  const { onProgress } = options;
  if (rows.layout === "sparse" || rows.cols > widestGram) {
    const problem = { l2, tolerance: 1e-9, maxIterations: 1000, pacer, onProgress };
    const { beta, intercept } = await solveRidgeByGradients(numericRows(linearRegression, rows, options), problem);
    return new LinearRegressor(beta, intercept);
  }
  const gram = await checkedGram(linearRegression, rows, options, pacer);
  const beta = await solveRidge(gram, l2, pacer);
  onProgress?.(1, 1, lossOf(gram, beta));
  return new LinearRegressor(beta, gram.targetMean - dot(beta, gram.means));
}

/** Scaled to a unit diagonal first, so that columns in very different units do not look dependent. */
async function solveRidge(gram: Gram, l2: number, pacer: Pacer): Promise<Float64Array> {
  const { cols, products, withTarget, means, total } = gram;
  const scales = new Float64Array(cols);
  for (let j = 0; j < cols; j++) {
    const square = products[j * cols + j]!;
    // Rounding of the mean leaves a constant column with a spread of about 1e-16 of its size.
    const varies = square > 1e-24 * means[j]! ** 2 * total;
    scales[j] = varies ? 1 / Math.sqrt(square + l2) : 0;
  }
  const a = new Float64Array(cols * cols);
  for (let i = 0; i < cols; i++) {
    for (let j = 0; j < cols; j++) a[i * cols + j] = products[i * cols + j]! * scales[i]! * scales[j]!;
    a[i * cols + i]! += l2 * scales[i]! ** 2;
  }
  const beta = await solveCholesky(
    a,
    withTarget.map((value, j) => value * scales[j]!),
    pacer,
  );
  return beta.map((value, j) => value * scales[j]!);
}

/** Mean squared error on the training rows. */
function lossOf({ cols, products, withTarget, targetSquares, total }: Gram, beta: Float64Array): number {
  let loss = targetSquares - 2 * dot(beta, withTarget);
  for (let i = 0; i < cols; i++) loss += beta[i]! * dot(products.subarray(i * cols, (i + 1) * cols), beta);
  return Math.max(0, loss / total);
}
