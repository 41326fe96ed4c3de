import type { AimassError, Clock } from "@aimass/core";
import type { HeaderFields, ResponseWriter, ServerCall } from "@aimass/h2";
import { WrappedCall } from "./wrapped-call.ts";

/** How long a call that was ended has to tell its caller so; one that reads nothing is not waited for. */
const graceMs = 1000;

/** A call that can be ended from outside, and that knows when something last moved on it, in either direction. */
export class EndableCall extends WrappedCall {
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  #signal: AbortSignal | undefined;
  #writer: ResponseWriter | undefined;
  #movedAt: number;
  /** Rejects what waits for the next chunk. One for each wait: a promise that lives as long as the call would keep every chunk that was raced against it. */
  #giveUp: ((error: AimassError) => void) | undefined;

  constructor(call: ServerCall, clock: Clock) {
    super(call);
    this.#clock = clock;
    this.#movedAt = clock.monotonic();
  }

  /** When something last moved, by the monotonic clock. */
  get movedAt(): number {
    return this.#movedAt;
  }

  /** Aborts, with the reason as an AimassError, also when the call is ended. */
  override get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any([super.signal, this.#ending.signal]);
    return this.#signal;
  }

  /** Ends it: whoever answers it learns by its signal or from its body, and has a moment to pass the error on. */
  end(error: AimassError): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(error);
    this.#giveUp?.(error);
    this.#clock.timer(graceMs, () => this.#writer?.reset());
  }

  override async *chunks(): AsyncIterable<Buffer> {
    const chunks = super.chunks()[Symbol.asyncIterator]();
    try {
      while (true) {
        const next = await this.#unlessEnded(chunks.next());
        if (next.done) return;
        this.#moved();
        yield next.value;
      }
    } finally {
      chunks.return?.().catch(() => {});
    }
  }

  #unlessEnded<T>(pending: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      pending.then(resolve, reject);
      if (this.#ending.signal.aborted) reject(this.#ending.signal.reason);
    });
  }

  override open(status: number, headers: HeaderFields): ResponseWriter {
    const writer = super.open(status, headers);
    this.#writer = writer;
    return {
      write: (chunk) => {
        this.#moved();
        return writer.write(chunk)?.then(() => this.#moved());
      },
      end: (trailers) => writer.end(trailers),
      reset: () => writer.reset(),
    };
  }

  #moved(): void {
    this.#movedAt = this.#clock.monotonic();
  }
}
