import { type Clock, linkedSignal, type ScopedSignal } from "@aimass/core";
import { TransportError, type UnaryRequest, type UnaryResult } from "@aimass/h2";
import type { Placement } from "../replicas/placement.ts";
import type { RunningCall } from "../replicas/replica.ts";
import { type AnswerCode, codeOfAnswer, type Format, isRefusal, isReplicaFault } from "./outcome.ts";
import type { RefusedTokens } from "./refused-tokens.ts";

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly kind: "answer"; readonly result: UnaryResult; readonly code: AnswerCode }
  /** No answer, or one that says that the work was not begun. */
  | { readonly kind: "failure"; readonly wasStarted: boolean; readonly result?: UnaryResult; readonly code: AnswerCode }
  | { readonly kind: "timeout" }
  | { readonly kind: "cancelled" };

/** One try of a call on one replica: keeps the books of load, latency and failures. */
export class Attempt implements RunningCall {
  readonly #placement: Placement;
  readonly #format: Format;
  readonly #clock: Clock;
  readonly #mayMove: () => boolean;
  readonly #refusedTokens: RefusedTokens;
  #resolve: ((outcome: AttemptOutcome) => void) | undefined;
  #leaving: ScopedSignal | undefined;
  #isStalled = false;
  #sentAt = 0;
  #shared = 0;

  constructor(options: {
    placement: Placement;
    format: Format;
    clock: Clock;
    mayMove: () => boolean;
    refusedTokens: RefusedTokens;
  }) {
    this.#placement = options.placement;
    this.#format = options.format;
    this.#clock = options.clock;
    this.#mayMove = options.mayMove;
    this.#refusedTokens = options.refusedTokens;
  }

  send(request: Omit<UnaryRequest, "onStall">): Promise<AttemptOutcome> {
    const { replica, breaker } = this.#placement;
    this.#sentAt = this.#clock.monotonic();
    breaker.sent(this.#sentAt);
    this.#placement.inFlight += 1;
    replica.begin(this);
    this.#shared = replica.inFlight;
    const leaving = linkedSignal(request.signal);
    this.#leaving = leaving;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      replica.upstream.unary({ ...request, signal: leaving.signal, onStall: () => this.#onStall() }).then(
        (result) => this.#onAnswer(result),
        (error: unknown) => this.#onError(error),
      );
    });
  }

  /** A call that can be sent elsewhere is given up on the silent replica, which is told: when it wakes, nobody waits for that run any more. */
  moveIfStalled(): void {
    if (!this.#isStalled || this.#resolve === undefined || !this.#mayMove()) return;
    this.#settle({ kind: "failure", wasStarted: true, code: "UNAVAILABLE" });
    this.#leaving?.abort();
  }

  #onStall(): void {
    if (this.#isStalled) return;
    this.#isStalled = true;
    this.#fail();
    this.moveIfStalled();
  }

  #onAnswer(result: UnaryResult): void {
    if (this.#resolve === undefined) return;
    const code = codeOfAnswer(result, this.#format);
    this.#readQueueDepth(result);
    const now = this.#clock.monotonic();
    if (code === "UNAUTHENTICATED") {
      this.#onRefusedToken(now);
      return;
    }
    if (isRefusal(code)) {
      if (code === "UNAVAILABLE") this.#placement.breaker.refused(now);
      this.#settle({ kind: "failure", wasStarted: false, result, code });
      return;
    }
    this.#placement.latency.observe(now - this.#sentAt, this.#shared, now);
    if (isReplicaFault(code)) this.#fail();
    else this.#placement.breaker.succeeded();
    this.#settle({ kind: "answer", result, code });
  }

  /** A replica knows no clients: whom it does not take is this router. Its words are not for the client. */
  #onRefusedToken(now: number): void {
    this.#refusedTokens.note(this.#placement.replica.id);
    this.#placement.breaker.refused(now);
    this.#settle({ kind: "failure", wasStarted: false, code: "UNAVAILABLE" });
  }

  #onError(error: unknown): void {
    if (this.#resolve === undefined) return;
    this.#settle(this.#outcomeOf(error));
  }

  #outcomeOf(error: unknown): AttemptOutcome {
    const kind = error instanceof TransportError ? error.kind : "closed";
    if (kind === "cancelled") return { kind };
    if (kind === "timeout") {
      // The caller chose the time: it says how slow the replica is, not that it fails.
      const now = this.#clock.monotonic();
      this.#placement.latency.observe(now - this.#sentAt, this.#shared, now);
      return { kind };
    }
    this.#fail();
    const wasStarted = error instanceof TransportError ? error.started : true;
    return { kind: "failure", wasStarted, code: "UNAVAILABLE" };
  }

  #readQueueDepth(result: UnaryResult): void {
    const text = result.trailers["aimass-queue-depth"] ?? result.headers["aimass-queue-depth"];
    if (text !== undefined) this.#placement.replica.reportQueue(Number(text) || 0, this.#clock.monotonic());
  }

  #fail(): void {
    this.#placement.breaker.failed(this.#clock.monotonic());
  }

  #settle(outcome: AttemptOutcome): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#leaving?.[Symbol.dispose]();
    this.#placement.inFlight -= 1;
    this.#placement.replica.end(this);
    resolve?.(outcome);
  }
}
