import type { Clock } from "@aimass/core";

export interface LivenessOptions {
  readonly clock: Clock;
  /** Time from one PING's answer to the next PING. */
  readonly pingIntervalMs: number;
  /** Silence after a PING that counts as a stall. */
  readonly pingTimeoutMs: number;
  /** Silence after a PING that counts as death. */
  readonly deadAfterMs: number;
  /** Whether anybody waits for the peer now. While nobody does, it is asked less often. Default: always. */
  readonly isBusy?: () => boolean;
  /** Sends a PING and calls back when it is answered. */
  readonly ping: (answered: () => void) => void;
  /** Bytes received on the connection so far: any of them is a sign of life. */
  readonly bytesRead: () => number;
  readonly onStall: () => void;
  readonly onRecover: () => void;
  readonly onDeath: () => void;
}

/** Time between two looks while nobody waits for the peer, in milliseconds. */
const restMs = 500;

/** Watches a connection: asks by PING again and again, and takes anything that comes in for a sign of life. */
export class Liveness implements Disposable {
  readonly #options: LivenessOptions;
  readonly #tickMs: number;
  #timer: Disposable | undefined;
  #isDisposed = false;
  #isStalled = false;
  #isResting = false;
  /** Time from the last look to the next. */
  #waitMs = 0;
  #bytes = 0;
  #heardAt: number;
  #answeredAt: number;
  #tickedAt: number;
  /** When the PING was sent that is not answered; undefined: none is. */
  #askedAt: number | undefined;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#heardAt = options.clock.monotonic();
    this.#answeredAt = this.#heardAt;
    this.#tickedAt = this.#heardAt;
    this.#tickMs = Math.min(options.pingIntervalMs, options.pingTimeoutMs / 4);
    this.#bytes = options.bytesRead();
    this.#tickLater();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.[Symbol.dispose]();
  }

  /** Somebody waits for the peer from now on: asks at once, unless it was asked just before. */
  wake(): void {
    if (this.#isDisposed || !this.#isResting) return;
    this.#tickedAt = this.#options.clock.monotonic();
    this.#judge(this.#tickedAt);
    if (!this.#isDisposed) this.#tickLater();
  }

  get #isBusy(): boolean {
    return this.#options.isBusy?.() ?? true;
  }

  #tickLater(): void {
    this.#timer?.[Symbol.dispose]();
    // An unanswered question is watched closely in any case.
    this.#isResting = !this.#isBusy && this.#askedAt === undefined && !this.#isStalled;
    // Before the interval is over nothing is asked.
    const untilAskMs = this.#options.pingIntervalMs - (this.#tickedAt - this.#answeredAt);
    this.#waitMs = this.#isResting ? Math.max(restMs, this.#tickMs, untilAskMs) : this.#tickMs;
    // Looked at after the next poll for input: if it was this process that stood still, what the peer said is read by then.
    this.#timer = this.#options.clock.timer(this.#waitMs, () => {
      setImmediate(() => (this.#isDisposed ? undefined : this.#tick()));
    });
  }

  #tick(): void {
    const now = this.#options.clock.monotonic();
    const lateMs = now - this.#tickedAt - this.#waitMs;
    this.#tickedAt = now;
    // Time during which this process did not run says nothing about the peer.
    if (lateMs > this.#tickMs && this.#askedAt !== undefined) this.#askedAt += lateMs;
    const bytes = this.#options.bytesRead();
    if (bytes !== this.#bytes) this.#heard(now, bytes);
    this.#judge(now);
    if (!this.#isDisposed) this.#tickLater();
  }

  #heard(now: number, bytes: number): void {
    this.#bytes = bytes;
    this.#heardAt = now;
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#options.onRecover();
  }

  #judge(now: number): void {
    const { pingIntervalMs, pingTimeoutMs, deadAfterMs } = this.#options;
    if (this.#askedAt === undefined) {
      if (now - this.#answeredAt >= pingIntervalMs) this.#ask(now);
      return;
    }
    const silenceMs = now - Math.max(this.#askedAt, this.#heardAt);
    if (silenceMs >= deadAfterMs) {
      this[Symbol.dispose]();
      this.#options.onDeath();
    } else if (silenceMs >= pingTimeoutMs && !this.#isStalled) {
      this.#isStalled = true;
      this.#options.onStall();
    }
  }

  #ask(now: number): void {
    this.#askedAt = now;
    this.#options.ping(() => {
      if (this.#isDisposed) return;
      this.#askedAt = undefined;
      this.#answeredAt = this.#options.clock.monotonic();
      this.#heard(this.#answeredAt, this.#options.bytesRead());
      if (this.#isBusy) return;
      // There is nothing more to watch closely.
      this.#tickedAt = this.#answeredAt;
      this.#tickLater();
    });
  }
}
