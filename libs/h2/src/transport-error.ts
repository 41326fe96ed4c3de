/** What kept a call from getting an answer. */
export type TransportFailure = "not-connected" | "refused" | "reset" | "closed" | "timeout" | "cancelled";

/** A call that ended without an answer. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly kind: TransportFailure;
  /** False only when the peer provably has not begun to process the call, so that it may be sent again whatever it does (RFC 9113, 8.7). */
  readonly started: boolean;

  constructor(kind: TransportFailure, message: string, started: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.started = started;
  }
}
