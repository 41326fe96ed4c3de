import type { CalibrationBinSchema } from "@aimass/api/trainer";
import type { MessageInitShape } from "@bufbuild/protobuf";

type CalibrationBin = MessageInitShape<typeof CalibrationBinSchema>;

const binCount = 10;

/** How often a model is right at each probability it gives to the class it predicts. */
export class Calibration {
  readonly #rows = new Float64Array(binCount);
  readonly #probability = new Float64Array(binCount);
  readonly #right = new Float64Array(binCount);

  add(probability: number, isRight: boolean): void {
    const bin = Math.min(binCount - 1, Math.max(0, Math.floor(probability * binCount)));
    this.#rows[bin] = (this.#rows[bin] as number) + 1;
    this.#probability[bin] = (this.#probability[bin] as number) + probability;
    if (isRight) this.#right[bin] = (this.#right[bin] as number) + 1;
  }

  /** All bins, also those without rows. */
  bins(): CalibrationBin[] {
    return Array.from(this.#rows, (rows, bin) => ({
      from: bin / binCount,
      to: (bin + 1) / binCount,
      predicted: rows === 0 ? 0 : (this.#probability[bin] as number) / rows,
      actual: rows === 0 ? 0 : (this.#right[bin] as number) / rows,
      rows: BigInt(rows),
    }));
  }

  /** Expected calibration error (Naeini, Cooper and Hauskrecht 2015). */
  error(): number {
    const total = this.#rows.reduce((sum, rows) => sum + rows, 0);
    if (total === 0) return 0;
    const distances = this.#rows.map((_, bin) =>
      Math.abs((this.#probability[bin] as number) - (this.#right[bin] as number)),
    );
    return distances.reduce((sum, distance) => sum + distance, 0) / total;
  }
}
