/** A solution, or the first column that depends on those before it. */
export type CholeskyResult =
  | { readonly ok: true; readonly x: Float64Array }
  | { readonly ok: false; readonly column: number };

/** A pivot this small against its diagonal means that the column adds nothing but rounding. */
const relativePivot = 1e-10;

/** Solves A·x = b for a symmetric positive definite A (row-major, n × n; overwritten by its factor) by Cholesky factorisation A = L·Lᵀ. */
export function solveCholesky(a: Float64Array, b: Float64Array): CholeskyResult {
  const n = b.length;
  for (let j = 0; j < n; j++) {
    const diagonal = a[j * n + j] as number;
    let pivot = diagonal;
    for (let k = 0; k < j; k++) pivot -= (a[j * n + k] as number) ** 2;
    if (!(pivot > diagonal * relativePivot)) return { ok: false, column: j };
    const root = Math.sqrt(pivot);
    a[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let sum = a[i * n + j] as number;
      for (let k = 0; k < j; k++) sum -= (a[i * n + k] as number) * (a[j * n + k] as number);
      a[i * n + j] = sum / root;
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] as number) - (a[i * n + k] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] = (x[i] as number) - (a[k * n + i] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * n + i] as number);
  }
  return { ok: true, x };
}
