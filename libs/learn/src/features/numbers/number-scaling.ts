import { type Batch, numbersOf } from "../columns.ts";
import type { NumberFeature } from "../plan.ts";
import { FrequentValues } from "../statistics/frequent-values.ts";
import type { NumberStatistics } from "../statistics/number-statistics.ts";

/** What one number column needs: `(value - centre) * factor`, with `fill` for missing values. */
export interface NumberScaling {
  readonly column: string;
  readonly fill: number;
  readonly centre: number;
  readonly factor: number;
  readonly indicator: boolean;
}

/** Learns one column's scaling from its statistics, which others keep, and from its values where the most frequent one is wanted. */
export class NumberScalingFit {
  private readonly spec: NumberFeature;
  private readonly statistics: NumberStatistics;
  private readonly values: FrequentValues<number> | undefined;

  constructor(spec: NumberFeature, statistics: NumberStatistics) {
    this.spec = spec;
    this.statistics = statistics;
    if (spec.impute === "mostFrequent") this.values = new FrequentValues(16_384);
  }

  add(batch: Batch): void {
    if (this.values === undefined) return;
    for (const value of numbersOf(batch, this.spec.column)) if (!Number.isNaN(value)) this.values.add(value);
  }

  merge(other: NumberScalingFit): void {
    if (this.values !== undefined && other.values !== undefined) this.values.merge(other.values);
  }

  finish(): NumberScaling {
    const { column, indicator = "auto" } = this.spec;
    return {
      column,
      fill: Math.fround(this.fill()),
      ...this.scaling(),
      indicator: indicator === "auto" ? this.statistics.moments.missing > 0 : indicator,
    };
  }

  private fill(): number {
    const { impute = "median" } = this.spec;
    if (typeof impute === "object") return impute.constant;
    if (this.statistics.moments.count === 0) return 0;
    if (impute === "mean") return this.statistics.moments.mean;
    return impute === "median" ? this.statistics.sketch.quantile(0.5) : (this.values?.sorted()[0]?.[0] ?? 0);
  }

  private scaling(): { centre: number; factor: number } {
    const { scale = "standard" } = this.spec;
    const { count, mean, deviation, minimum, maximum } = this.statistics.moments;
    if (scale === "none" || count === 0) return { centre: 0, factor: 1 };
    if (scale === "standard") return byWidth(mean, deviation);
    if (scale === "minMax") return byWidth(minimum, maximum - minimum);
    const [low, middle, high] = this.statistics.sketch.quantiles([0.25, 0.5, 0.75]) as [number, number, number];
    const reach = Math.max(maximum - middle, middle - minimum);
    // Beside quartiles that near to each other the outermost values would leave FP32.
    const isLost = high - low < reach * resolution;
    return byWidth(middle, isLost ? reach : high - low);
  }
}

/** Of FP32, in shares of a number. */
const resolution = 2 ** -24;

/** Constants are FP32. A width below FP32's resolution at the centre is that of a constant column, which is only shifted. */
function byWidth(centre: number, width: number): { centre: number; factor: number } {
  const factor = Math.fround(1 / width);
  const constant = !(width > Math.abs(centre) * resolution) || !Number.isFinite(factor);
  return { centre: Math.fround(centre), factor: constant ? 1 : factor };
}
