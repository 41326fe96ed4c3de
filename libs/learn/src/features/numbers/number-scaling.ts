import type { NumberFeature } from "../plan.ts";
import { FrequentValues } from "../statistics/frequent-values.ts";
import { QuantileSketch } from "../statistics/quantile-sketch.ts";
import { RunningMoments } from "../statistics/running-moments.ts";

/** What one number column needs: `(value - centre) * factor`, with `fill` for missing values. */
export interface NumberScaling {
  readonly column: string;
  readonly fill: number;
  readonly centre: number;
  readonly factor: number;
  readonly indicator: boolean;
}

/** Learns one column's scaling. */
export class NumberScalingFit {
  private readonly spec: NumberFeature;
  private readonly moments = new RunningMoments();
  private readonly sketch = new QuantileSketch();
  private readonly values: FrequentValues<number> | undefined;

  constructor(spec: NumberFeature) {
    this.spec = spec;
    if (spec.impute === "mostFrequent") this.values = new FrequentValues(16_384);
  }

  add(values: Float32Array): void {
    const ranked = needsQuantiles(this.spec);
    for (const value of values) {
      this.moments.add(value);
      if (ranked) this.sketch.add(value);
      if (this.values !== undefined && !Number.isNaN(value)) this.values.add(value);
    }
  }

  merge(other: NumberScalingFit): void {
    this.moments.merge(other.moments);
    this.sketch.merge(other.sketch);
    if (this.values !== undefined && other.values !== undefined) this.values.merge(other.values);
  }

  finish(): NumberScaling {
    const { column, indicator = "auto" } = this.spec;
    return {
      column,
      fill: Math.fround(this.fill()),
      ...this.scaling(),
      indicator: indicator === "auto" ? this.moments.missing > 0 : indicator,
    };
  }

  private fill(): number {
    const { impute = "median" } = this.spec;
    if (typeof impute === "object") return impute.constant;
    if (this.moments.count === 0) return 0;
    if (impute === "mean") return this.moments.mean;
    return impute === "median" ? this.sketch.quantile(0.5) : (this.values?.sorted()[0]?.[0] ?? 0);
  }

  private scaling(): { centre: number; factor: number } {
    const { scale = "standard" } = this.spec;
    const { count, mean, deviation, minimum, maximum } = this.moments;
    if (scale === "none" || count === 0) return { centre: 0, factor: 1 };
    if (scale === "standard") return byWidth(mean, deviation);
    if (scale === "minMax") return byWidth(minimum, maximum - minimum);
    const [low, middle, high] = this.sketch.quantiles([0.25, 0.5, 0.75]) as [number, number, number];
    return byWidth(middle, high - low);
  }
}

function needsQuantiles({ impute = "median", scale = "standard" }: NumberFeature): boolean {
  return impute === "median" || scale === "robust";
}

/** Constants are FP32. A width below FP32's resolution at the centre is that of a constant column, which is only shifted. */
function byWidth(centre: number, width: number): { centre: number; factor: number } {
  const factor = Math.fround(1 / width);
  const constant = !(width > Math.abs(centre) * 2 ** -24) || !Number.isFinite(factor);
  return { centre: Math.fround(centre), factor: constant ? 1 : factor };
}
