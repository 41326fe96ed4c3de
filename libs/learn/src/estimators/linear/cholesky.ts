import type { Pacer } from "../../pacer.ts";

/** A pivot below this share of its diagonal means that the column is a combination of those before it. */
const dependent = 1e-11;

/**
 * Solves A·x = b for a symmetric, positive semidefinite A [n × n] by Cholesky's factorisation A = L·Lᵀ, row by row. A column that is a combination of
 * those before it gets 0, which solves the equations as well as any other choice. A is overwritten.
 */
export async function solveCholesky(a: Float64Array, b: Float64Array, pacer: Pacer): Promise<Float64Array> {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    factorRow(a, n, i);
    if (pacer.due) await pacer.breathe();
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    const pivot = a[i * n + i]!;
    let sum = x[i]!;
    for (let k = 0; k < i; k++) sum -= a[i * n + k]! * x[k]!;
    x[i] = pivot === 0 ? 0 : sum / pivot;
  }
  for (let i = n - 1; i >= 0; i--) {
    const pivot = a[i * n + i]!;
    if (pivot !== 0) x[i]! /= pivot;
    const value = x[i]!;
    for (let k = 0; k < i; k++) x[k]! -= a[i * n + k]! * value;
  }
  return x;
}

function factorRow(a: Float64Array, n: number, i: number): void {
  const row = a.subarray(i * n, i * n + i + 1);
  let squares = 0;
  for (let j = 0; j < i; j++) {
    const pivot = a[j * n + j]!;
    const other = a.subarray(j * n, j * n + j);
    let sum = row[j]!;
    for (let k = 0; k < j; k++) sum -= row[k]! * other[k]!;
    row[j] = pivot === 0 ? 0 : sum / pivot;
    squares += row[j]! ** 2;
  }
  const left = row[i]! - squares;
  const usable = left > dependent * row[i]!;
  row[i] = usable ? Math.sqrt(left) : 0;
  if (!usable) row.fill(0);
}
