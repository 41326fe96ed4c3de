/** Count, mean and variance of a stream of numbers in constant memory; two of them merge (Chan, Golub and LeVeque, 1979). NaN is counted as missing. */
export class RunningMoments {
  count = 0;
  missing = 0;
  mean = 0;
  minimum = Number.POSITIVE_INFINITY;
  maximum = Number.NEGATIVE_INFINITY;
  private squares = 0;

  add(value: number): void {
    if (Number.isNaN(value)) {
      this.missing++;
      return;
    }
    this.count++;
    const step = value - this.mean;
    this.mean += step / this.count;
    this.squares += step * (value - this.mean);
    if (value < this.minimum) this.minimum = value;
    if (value > this.maximum) this.maximum = value;
  }

  merge(other: RunningMoments): void {
    const count = this.count + other.count;
    this.missing += other.missing;
    if (count === 0) return;
    const step = other.mean - this.mean;
    this.mean += (step * other.count) / count;
    this.squares += other.squares + (step * step * this.count * other.count) / count;
    this.count = count;
    this.minimum = Math.min(this.minimum, other.minimum);
    this.maximum = Math.max(this.maximum, other.maximum);
  }

  /** Standard deviation of the population, as scalers use it; 0 without values. */
  get deviation(): number {
    return this.count === 0 ? 0 : Math.sqrt(this.squares / this.count);
  }
}
