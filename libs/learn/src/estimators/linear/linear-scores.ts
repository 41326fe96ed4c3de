import type { DenseMatrix, Matrix } from "../../matrix.ts";
import { SparseProducts } from "./sparse-products.ts";

/** x · weights + intercepts, [rows × outputs], of weights [cols × outputs]. A row's scores depend on nothing but the row. */
export function linearScores(x: Matrix, weights: Float64Array, intercepts: Float64Array): Float64Array {
  const outputs = intercepts.length;
  const scores = new Float64Array(x.rows * outputs);
  if (x.kind === "dense") {
    for (let k = 0; k < outputs; k++) {
      const own = Float64Array.from({ length: x.cols }, (_, j) => weights[j * outputs + k]!);
      addScores(x, own, scores, { k, outputs });
    }
  } else {
    const products = new SparseProducts(outputs);
    products.use(weights);
    products.scores(x, 0, x.rows, scores);
  }
  for (let i = 0; i < scores.length; i += outputs) for (let k = 0; k < outputs; k++) scores[i + k]! += intercepts[k]!;
  return scores;
}

/** Four rows at a time: a weight is loaded once for all of them. */
function addScores(x: DenseMatrix, w: Float64Array, scores: Float64Array, o: { k: number; outputs: number }): void {
  const { data, cols, rows } = x;
  const { k, outputs } = o;
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    const a = r * cols;
    const b = a + cols;
    const c = b + cols;
    const d = c + cols;
    let sa = 0;
    let sb = 0;
    let sc = 0;
    let sd = 0;
    for (let j = 0; j < cols; j++) {
      const weight = w[j]!;
      sa += data[a + j]! * weight;
      sb += data[b + j]! * weight;
      sc += data[c + j]! * weight;
      sd += data[d + j]! * weight;
    }
    const at = r * outputs + k;
    scores[at] = sa;
    scores[at + outputs] = sb;
    scores[at + 2 * outputs] = sc;
    scores[at + 3 * outputs] = sd;
  }
  for (; r < rows; r++) {
    let sum = 0;
    for (let j = 0, a = r * cols; j < cols; j++) sum += data[a + j]! * w[j]!;
    scores[r * outputs + k] = sum;
  }
}
