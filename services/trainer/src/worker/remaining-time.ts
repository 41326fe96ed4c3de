/** Progress must have come this far, and lasted this long, before the rest can be told. */
const leastFraction = 0.01;
const leastMs = 2000;
/** The speed is a mean over about this share of the time so far: what lasts long changes its speed slowly. */
const memoryShare = 0.3;

/** Judges how long a job will still run by the speed of its progress, smoothed. */
export class RemainingTime {
  #first: { at: number; fraction: number } | undefined;
  #last: { at: number; fraction: number } | undefined;
  /** Fractions a millisecond. */
  #speed = 0;

  /** Milliseconds from `at` (monotonic); undefined while it cannot be told. Progress that goes back starts over. */
  add(fraction: number, at: number): number | undefined {
    if (this.#first === undefined || this.#last === undefined || fraction < this.#last.fraction) {
      this.#first = { at, fraction };
      this.#last = this.#first;
      this.#speed = 0;
      return undefined;
    }
    this.#learn(fraction, at, { first: this.#first, last: this.#last });
    const isKnown = fraction - this.#first.fraction >= leastFraction && at - this.#first.at >= leastMs;
    return isKnown && this.#speed > 0 ? (1 - fraction) / this.#speed : undefined;
  }

  /** An exponential mean whose memory grows with the age of the job. */
  #learn(fraction: number, at: number, { first, last }: Record<"first" | "last", { at: number; fraction: number }>) {
    const ms = at - last.at;
    if (ms <= 0) return;
    const memoryMs = Math.max(1000, (at - first.at) * memoryShare);
    const weight = this.#speed === 0 ? 1 : 1 - Math.exp(-ms / memoryMs);
    this.#speed += weight * ((fraction - last.fraction) / ms - this.#speed);
    this.#last = { at, fraction };
  }
}
