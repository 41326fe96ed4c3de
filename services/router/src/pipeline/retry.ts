import type { Clock } from "@aimass/core";

/** What is known when an attempt did not bring a final answer. */
export interface FailedAttempt {
  /** Whether the replica may have begun the work. */
  readonly wasStarted: boolean;
  /** Whether the replica refused it because it has too much to do. */
  readonly wasOverloaded: boolean;
  /** Attempts of this call that may have been begun and were lost, this one included. */
  readonly startedFailures: number;
  readonly isIdempotent: boolean;
  readonly isBodyKept: boolean;
  readonly remainingMs: number;
  /** Takes from the retry budget; asked last. */
  readonly takeBudget: () => boolean;
}

/** Why a call is not sent again. */
export type RetryRefusal = "deadline" | "not-idempotent" | "body-not-kept" | "two-replicas-lost" | "budget";

/**
 * Whether to send a call again. What provably did not start is sent again at will; what may have started once more at most, on another replica, and only
 * when running it twice does no harm: a request that was under way in two lost replicas is never sent to a third. The budget is for what may add load to
 * an overload; a call that a replica did not take, because it drains or does not hold the version, adds none (transparent retries in gRPC's A6).
 */
export function refuseRetry(attempt: FailedAttempt): RetryRefusal | undefined {
  if (attempt.remainingMs <= 0) return "deadline";
  if (attempt.wasStarted) {
    if (!attempt.isIdempotent) return "not-idempotent";
    if (!attempt.isBodyKept) return "body-not-kept";
  }
  if (attempt.startedFailures > 1) return "two-replicas-lost";
  if (!attempt.wasStarted && !attempt.wasOverloaded) return undefined;
  return attempt.takeBudget() ? undefined : "budget";
}

const burst = 1000;
const refillPerSecond = 20;
const perCall = 0.2;

/**
 * Keeps retries from multiplying an overload: every call earns a fifth of a retry, time earns a few, and enough are kept to move everything that was
 * under way on a replica that dies.
 */
export class RetryBudget {
  readonly #clock: Clock;
  #tokens = burst;
  #filledAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.monotonic();
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** A new call came. */
  earn(): void {
    if (this.#tokens < burst) this.#tokens = Math.min(burst, this.#tokens + perCall);
  }

  /** Takes a retry; false when there is none. */
  take(): boolean {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * refillPerSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
