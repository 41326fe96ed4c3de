import { QuantileSketch } from "./quantile-sketch.ts";
import { RunningMoments } from "./running-moments.ts";

/** Moments and quantiles of one stream of numbers; NaN is missing. */
export class NumberStatistics {
  readonly moments = new RunningMoments();
  readonly sketch = new QuantileSketch();

  add(value: number): void {
    this.moments.add(value);
    this.sketch.add(value);
  }

  merge(other: NumberStatistics): void {
    this.moments.merge(other.moments);
    this.sketch.merge(other.sketch);
  }
}
