import type { RegressionDetailSchema } from "@aimass/api/trainer";
import type { MessageInitShape } from "@bufbuild/protobuf";

type RegressionDetail = Exclude<MessageInitShape<typeof RegressionDetailSchema>, { $typeName: string }>;

const quantiles = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1];
const binCount = 20;
const tenths = 10;

/** Errors of a regression over rows, summed as they come. Keeps sixteen bytes a row for the detail. */
export class RegressionEvaluation {
  #count = 0;
  #squared = 0;
  #absolute = 0;
  #mean = 0;
  /** Σ(y − ȳ)², by Welford's method. */
  #spread = 0;
  readonly #actual: number[] = [];
  readonly #predicted: number[] = [];

  get rows(): number {
    return this.#count;
  }

  add(actual: number, predicted: number): void {
    const error = predicted - actual;
    this.#count += 1;
    this.#squared += error * error;
    this.#absolute += Math.abs(error);
    const delta = actual - this.#mean;
    this.#mean += delta / this.#count;
    this.#spread += delta * (actual - this.#mean);
    this.#actual.push(actual);
    this.#predicted.push(predicted);
  }

  /** Coefficient of determination; for a constant target 1 when every prediction is right, else 0. */
  get r2(): number {
    // A spread that is nearly nothing would make it infinite.
    if (this.#spread > 0) return Math.max(-Number.MAX_VALUE, 1 - this.#squared / this.#spread);
    return this.#squared === 0 ? 1 : 0;
  }

  /** "r2", "rmse", "mae"; none without rows. */
  metrics(): Record<string, number> {
    if (this.#count === 0) return {};
    return { r2: this.r2, rmse: Math.sqrt(this.#squared / this.#count), mae: this.#absolute / this.#count };
  }

  detail(): RegressionDetail {
    const residuals = Float64Array.from(this.#predicted, (value, row) => value - (this.#actual[row] as number));
    const mean = residuals.reduce((sum, r) => sum + r, 0) / residuals.length;
    const variance = residuals.reduce((sum, r) => sum + (r - mean) ** 2, 0) / residuals.length;
    const sorted = residuals.slice().sort();
    return {
      residualMean: mean,
      residualDeviation: Math.sqrt(variance),
      residualQuantiles: quantiles.map((share) => quantile(sorted, share)),
      residuals: histogram(sorted),
      deciles: this.#deciles(),
    };
  }

  #deciles(): NonNullable<RegressionDetail["deciles"]> {
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row);
    order.sort((a, b) => (this.#predicted[a] as number) - (this.#predicted[b] as number));
    const parts = Array.from({ length: Math.min(tenths, this.#count) }, (_, i) => i);
    return parts.map((part) => {
      const rows = order.subarray(
        Math.floor((part * order.length) / parts.length),
        Math.floor(((part + 1) * order.length) / parts.length),
      );
      const mean = (values: readonly number[]) =>
        rows.reduce((sum, row) => sum + (values[row] as number), 0) / rows.length;
      return {
        from: this.#predicted[rows[0] as number] as number,
        to: this.#predicted[rows.at(-1) as number] as number,
        predicted: mean(this.#predicted),
        actual: mean(this.#actual),
        rows: BigInt(rows.length),
      };
    });
  }
}

/** Between the two nearest values, as numpy does. */
export function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? 0;
  const high = sorted[Math.ceil(place)] ?? 0;
  return low + (high - low) * (place - Math.floor(place));
}

/** Equal bins between the smallest and the largest value; one bin when they are equal. */
export function histogram(sorted: Float64Array, count = binCount): { from: number; to: number; rows: bigint }[] {
  const from = sorted[0] ?? 0;
  const to = sorted.at(-1) ?? 0;
  const bins = from === to ? 1 : count;
  const width = (to - from) / bins;
  const rows = new Array<number>(bins).fill(0);
  for (const value of sorted) {
    const bin = width === 0 ? 0 : Math.min(bins - 1, Math.floor((value - from) / width));
    rows[bin] = (rows[bin] as number) + 1;
  }
  return rows.map((n, i) => ({
    from: from + i * width,
    to: i === bins - 1 ? to : from + (i + 1) * width,
    rows: BigInt(n),
  }));
}
