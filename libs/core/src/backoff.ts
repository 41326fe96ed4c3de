import type { Clock } from "./clock.ts";

/** How waits grow between tries. Names follow gRPC's connection backoff, https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md */
export interface BackoffOptions {
  /** First wait, in milliseconds. Default 100. */
  readonly initialMs?: number;
  /** Growth from wait to wait. Default 1.6. */
  readonly multiplier?: number;
  /** Longest wait, in milliseconds. Default 5000. */
  readonly maxMs?: number;
  /** Share by which each wait is randomised, 0–1. Default 0.2. */
  readonly jitter?: number;
  /** Source of randomness in [0, 1). Default Math.random. */
  readonly random?: () => number;
}

/** Hands out growing waits. */
export class Backoff {
  readonly #initialMs: number;
  readonly #multiplier: number;
  readonly #maxMs: number;
  readonly #jitter: number;
  readonly #random: () => number;
  #nextMs: number;

  constructor(options: BackoffOptions = {}) {
    this.#initialMs = options.initialMs ?? 100;
    this.#multiplier = options.multiplier ?? 1.6;
    this.#maxMs = options.maxMs ?? 5000;
    this.#jitter = options.jitter ?? 0.2;
    this.#random = options.random ?? Math.random;
    this.#nextMs = this.#initialMs;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * this.#multiplier, this.#maxMs);
    return ms * (1 + this.#jitter * (2 * this.#random() - 1));
  }

  /** Starts over after a success. */
  reset(): void {
    this.#nextMs = this.#initialMs;
  }
}

/**
 * Runs `attempt` again and again until the signal aborts, with a growing wait after each, whether it returned or threw. For the long-lived streams
 * between services. `attempt` calls `healthy()` once it works, which starts the waits over.
 */
export async function keepTrying(
  attempt: (healthy: () => void) => Promise<void>,
  options: { clock: Clock; signal: AbortSignal; backoff?: BackoffOptions; onFailure?: (error: unknown) => void },
): Promise<void> {
  const backoff = new Backoff(options.backoff);
  while (!options.signal.aborted) {
    try {
      await attempt(() => backoff.reset());
    } catch (error) {
      if (options.signal.aborted) return;
      options.onFailure?.(error);
    }
    if (options.signal.aborted) return;
    await options.clock.sleep(backoff.next(), options.signal).catch(() => {});
  }
}
