/** Weight of the past fades by 1/e in this time. */
const decayMs = 10_000;

/** Latency that a replica is taken to have before its first answer. */
const assumedMs = 1;

/** How strongly one answer moves the service time. */
const serviceWeight = 0.1;

/**
 * How quickly a replica answers, seen from here. `at()` is a peak-sensitive moving average as in Finagle and linkerd: it jumps up with a slow answer and
 * comes down with time, so that a replica that turned slow is avoided at once and tried again later.
 */
export class Latency {
  #averageMs = assumedMs;
  #seenAt = 0;
  #serviceMs = 0;

  /** Takes an answer's time. `inFlight` is how many calls shared the replica when it was sent, itself included. */
  observe(elapsedMs: number, inFlight: number, now: number): void {
    const decayed = this.at(now);
    const weight = Math.exp(-Math.max(0, now - this.#seenAt) / decayMs);
    this.#averageMs = elapsedMs > decayed ? elapsedMs : decayed * weight + elapsedMs * (1 - weight);
    this.#seenAt = now;
    const serviceMs = elapsedMs / Math.max(1, inFlight);
    this.#serviceMs =
      this.#serviceMs === 0 ? serviceMs : this.#serviceMs + serviceWeight * (serviceMs - this.#serviceMs);
  }

  /** Expected latency in milliseconds. */
  at(now: number): number {
    if (this.#seenAt === 0) return this.#averageMs;
    return Math.max(0.05, this.#averageMs * Math.exp(-Math.max(0, now - this.#seenAt) / decayMs));
  }

  /** Milliseconds of waiting that one call in flight adds (Little's law: latency over calls in flight); 0 before the first answer. */
  get serviceMs(): number {
    return this.#serviceMs;
  }
}
