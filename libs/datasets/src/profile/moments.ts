/** Count, extremes, mean and deviation of numbers in one pass (B. P. Welford, Technometrics 4(3), 1962). */
export class Moments {
  count = 0;
  minimum = Number.POSITIVE_INFINITY;
  maximum = Number.NEGATIVE_INFINITY;
  /** The one nearest to zero. */
  nearest = Number.POSITIVE_INFINITY;
  mean = 0;
  integers = true;
  #squares = 0;

  add(value: number): void {
    this.count++;
    if (value < this.minimum) this.minimum = value;
    if (value > this.maximum) this.maximum = value;
    if (Math.abs(value) < Math.abs(this.nearest)) this.nearest = value;
    const distance = value - this.mean;
    this.mean += distance / this.count;
    this.#squares += distance * (value - this.mean);
    if (this.integers && !Number.isInteger(value)) this.integers = false;
  }

  /** Of the sample (divisor n − 1); 0 for a single number. */
  get standardDeviation(): number {
    return this.count < 2 ? 0 : Math.sqrt(this.#squares / (this.count - 1));
  }
}
