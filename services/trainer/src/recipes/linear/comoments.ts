/**
 * Means and co-moments Σ(xᵢ − x̄ᵢ)(xⱼ − x̄ⱼ) of columns, updated row by row (Welford's method, for pairs as in Chan, Golub and LeVeque 1983). Centring
 * as it goes keeps the digits that summing raw products loses when means are large.
 */
export class Comoments {
  /** How many columns. */
  readonly size: number;
  readonly #means: Float64Array;
  /** Upper triangle, row by row. */
  readonly #sums: Float64Array;
  readonly #minimum: Float64Array;
  readonly #maximum: Float64Array;
  readonly #delta: Float64Array;
  #count = 0;

  constructor(size: number) {
    this.size = size;
    this.#means = new Float64Array(size);
    this.#sums = new Float64Array(size * size);
    this.#minimum = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
    this.#maximum = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
    this.#delta = new Float64Array(size);
  }

  get count(): number {
    return this.#count;
  }

  add(row: Float64Array): void {
    const n = ++this.#count;
    const delta = this.#delta;
    for (let i = 0; i < this.size; i++) {
      const x = row[i] as number;
      const d = x - (this.#means[i] as number);
      delta[i] = d;
      this.#means[i] = (this.#means[i] as number) + d / n;
      if (x < (this.#minimum[i] as number)) this.#minimum[i] = x;
      if (x > (this.#maximum[i] as number)) this.#maximum[i] = x;
    }
    const share = (n - 1) / n;
    for (let i = 0; i < this.size; i++) {
      const di = (delta[i] as number) * share;
      if (di === 0) continue;
      for (let j = i, k = i * this.size + i; j < this.size; j++, k++) {
        this.#sums[k] = (this.#sums[k] as number) + di * (delta[j] as number);
      }
    }
  }

  mean(i: number): number {
    return this.#means[i] as number;
  }

  comoment(i: number, j: number): number {
    return this.#sums[Math.min(i, j) * this.size + Math.max(i, j)] as number;
  }

  /** Whether a column has one value in all rows. */
  isConstant(i: number): boolean {
    return this.#minimum[i] === this.#maximum[i] || !(this.comoment(i, i) > 0);
  }
}
