import { type Address, Backoff, type Clock, formatAddress } from "@aimass/core";
import type { ClientStream, StreamRequest, UnaryRequest, UnaryResult } from "./client-call.ts";
import { TransportError } from "./transport-error.ts";
import { type SessionState, UpstreamSession } from "./upstream-session.ts";

/**
 * connecting: no connection yet, and none has failed since the last one was good. ready: calls may be sent. down: the peer refuses connections, or its
 * connections are silent; calls already sent may still be answered.
 */
export type UpstreamState = "connecting" | "ready" | "down";

export interface UpstreamOptions {
  readonly address: Address;
  readonly clock: Clock;
  /** Connections to spread calls over. Default 1. */
  readonly connections?: number;
  /** Time between PINGs. Default 150. */
  readonly pingIntervalMs?: number;
  /** Silence after a PING that makes a connection count as stalled. Default 400. */
  readonly pingTimeoutMs?: number;
  /** Silence after a PING that ends a connection, and the calls on it with it. Default 5000. */
  readonly deadAfterMs?: number;
  /** How long a connection may take until the peer's SETTINGS have come. Default 1000. */
  readonly connectTimeoutMs?: number;
  /**
   * Bytes of answers, of all calls of one connection together, that the peer may send before they are read. Default 65 535, HTTP/2's own: node:http2
   * reads nothing while a write waits for room, so two peers that both send more than the system buffers would wait for each other for ever. Raise
   * it only where large requests and large answers do not share a connection.
   */
  readonly receiveWindowBytes?: number;
  /**
   * Cancelled calls whose streams are reset at once, and a second; those beyond are reset later. Defaults 400 and 20: servers take a faster pace for an attack and
   * end the connection (nghttp2: 1000 at once, 33 a second), unless they were told to expect more.
   */
  readonly resetBurst?: number;
  readonly resetsPerSecond?: number;
}

/** Calls to one address over pooled connections that are kept open, watched, and made anew when they break. */
export class Upstream {
  readonly address: Address;
  readonly #options: Required<UpstreamOptions>;
  readonly #slots: Slot[];
  readonly #listeners = new Set<(state: UpstreamState) => void>();
  #state: UpstreamState = "connecting";
  #isClosed = false;

  constructor(options: UpstreamOptions) {
    this.address = options.address;
    this.#options = {
      connections: 1,
      pingIntervalMs: 150,
      pingTimeoutMs: 400,
      deadAfterMs: 5000,
      connectTimeoutMs: 1000,
      receiveWindowBytes: 65_535,
      resetBurst: 400,
      resetsPerSecond: 20,
      ...options,
    };
    this.#slots = Array.from({ length: this.#options.connections }, () => ({
      session: undefined,
      backoff: new Backoff({ initialMs: 20, maxMs: 500 }),
      hasFailed: false,
      retry: undefined,
    }));
    for (const slot of this.#slots) this.#connect(slot);
  }

  get state(): UpstreamState {
    return this.#state;
  }

  /** Calls sent and not yet ended, cancelled ones included until the peer is done with them. */
  get inFlight(): number {
    return this.#slots.reduce((sum, slot) => sum + (slot.session?.inFlight ?? 0), 0);
  }

  /** Calls back on every change of state until disposed. */
  onState(listener: (state: UpstreamState) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Sends a call and waits for its whole answer. Rejects with a TransportError when none came; any status is an answer. */
  unary(request: UnaryRequest): Promise<UnaryResult> {
    const session = this.#pick();
    return session === undefined ? Promise.reject(this.#notConnected()) : session.unary(request);
  }

  /** Begins a streaming call. Throws a TransportError when there is no connection to send it on. */
  open(request: StreamRequest): ClientStream {
    const session = this.#pick();
    if (session === undefined) throw this.#notConnected();
    return session.open(request);
  }

  /** Ends every connection at once. Calls under way reject. */
  close(): void {
    this.#isClosed = true;
    for (const slot of this.#slots) {
      slot.retry?.[Symbol.dispose]();
      slot.session?.destroy();
    }
    this.#updateState();
  }

  /** Takes no more calls and closes when the last one is done. */
  retire(): void {
    this.#isClosed = true;
    for (const slot of this.#slots) {
      slot.retry?.[Symbol.dispose]();
      slot.session?.retire();
    }
  }

  #pick(): UpstreamSession | undefined {
    let best: UpstreamSession | undefined;
    for (const { session } of this.#slots) {
      if (session?.state === "ready" && (best === undefined || session.inFlight < best.inFlight)) best = session;
    }
    return best;
  }

  #notConnected(): TransportError {
    return new TransportError("not-connected", `There is no connection to ${formatAddress(this.address)}.`, false);
  }

  #connect(slot: Slot): void {
    if (this.#isClosed) return;
    const onState = (session: UpstreamSession, state: SessionState) => this.#onSession(slot, session, state);
    slot.session = new UpstreamSession({ ...this.#options, onState });
  }

  #onSession(slot: Slot, session: UpstreamSession, state: SessionState): void {
    if (slot.session !== session) return;
    if (state === "ready") {
      slot.hasFailed = false;
      slot.backoff.reset();
    } else if (state === "retiring") {
      slot.session = undefined;
      this.#connect(slot);
    } else if (state === "closed") {
      slot.hasFailed = true;
      slot.session = undefined;
      if (!this.#isClosed) slot.retry = this.#options.clock.timer(slot.backoff.next(), () => this.#connect(slot));
    }
    this.#updateState();
  }

  #updateState(): void {
    const state = this.#currentState();
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  #currentState(): UpstreamState {
    if (this.#isClosed) return "down";
    if (this.#slots.some((slot) => slot.session?.state === "ready")) return "ready";
    const isTrying = this.#slots.some((slot) => !slot.hasFailed && slot.session?.state === "connecting");
    return isTrying ? "connecting" : "down";
  }
}

/** A place in the pool and the connection that fills it now. */
interface Slot {
  session: UpstreamSession | undefined;
  readonly backoff: Backoff;
  hasFailed: boolean;
  retry: Disposable | undefined;
}
