/** closed: takes calls. open: takes none until `until`. probation: takes one call, which decides. */
type BreakerState =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly until: number; readonly waitMs: number }
  | { readonly kind: "probation"; readonly trialUntil: number; readonly waitMs: number };

const failuresToOpen = 5;
const firstWaitMs = 1000;
const longestWaitMs = 30_000;
/** Who says of itself that it cannot now may be able soon: routes that are a moment old are followed by newer ones. */
const firstRefusalWaitMs = 50;
const longestRefusalWaitMs = 1000;
/** A trial that brings no outcome in this time is forgotten. */
const trialMs = 5000;

/** Keeps calls away from what fails again and again, or says that it takes none: `closed → open → probation → closed | open`, waits doubling. */
export class Breaker {
  #state: BreakerState = { kind: "closed", failures: 0 };

  get isClosed(): boolean {
    return this.#state.kind === "closed";
  }

  /** Whether a call may be sent now. */
  allows(now: number): boolean {
    const state = this.#state;
    if (state.kind === "closed") return true;
    return now >= (state.kind === "open" ? state.until : state.trialUntil);
  }

  /** A call was sent: after a wait it is the trial. */
  sent(now: number): void {
    const state = this.#state;
    if (state.kind === "closed" || !this.allows(now)) return;
    this.#state = { kind: "probation", trialUntil: now + trialMs, waitMs: state.waitMs };
  }

  succeeded(): void {
    if (this.#state.kind !== "closed" || this.#state.failures > 0) this.#state = { kind: "closed", failures: 0 };
  }

  /** True when this failure opened the breaker. */
  failed(now: number): boolean {
    const state = this.#state;
    if (state.kind === "open") return false;
    if (state.kind === "closed") {
      const failures = state.failures + 1;
      this.#state = failures < failuresToOpen ? { kind: "closed", failures } : this.#opened(now, firstWaitMs);
      return failures >= failuresToOpen;
    }
    this.#state = this.#opened(now, Math.min(longestWaitMs, state.waitMs * 2));
    return true;
  }

  /**
   * It said itself that it takes no call: one such answer is enough. It comes quickly and leaves no load behind, so that whoever goes on choosing by
   * load and latency would send everything there.
   */
  refused(now: number): void {
    const state = this.#state;
    if (state.kind === "open") return;
    const waitMs = state.kind === "closed" ? firstRefusalWaitMs : state.waitMs * 2;
    this.#state = this.#opened(now, Math.min(longestRefusalWaitMs, waitMs));
  }

  #opened(now: number, waitMs: number): BreakerState {
    return { kind: "open", until: now + waitMs, waitMs };
  }
}
