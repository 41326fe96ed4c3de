import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { type Address, type Clock, formatAddress } from "@aimass/core";
import type { ClientStream, StreamRequest, UnaryRequest, UnaryResult } from "./client-call.ts";
import { Liveness } from "./liveness.ts";
import { NodeClientStream } from "./node-client-stream.ts";
import { TokenBucket } from "./token-bucket.ts";
import { TransportError } from "./transport-error.ts";
import { UnaryExchange } from "./unary-exchange.ts";

/**
 * A connection's life: connecting --> ready <--> stalled; each of them --> retiring (the peer said GOAWAY; what runs finishes) --> closed.
 * Ready begins with the peer's SETTINGS and not with TCP's accept, which a stopped process gives too.
 */
export type SessionState = "connecting" | "ready" | "stalled" | "retiring" | "closed";

export interface SessionOptions {
  readonly address: Address;
  readonly clock: Clock;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly deadAfterMs: number;
  readonly connectTimeoutMs: number;
  readonly receiveWindowBytes: number;
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  readonly onState: (session: UpstreamSession, state: SessionState) => void;
}

const streamWindowBytes = 4 * 1024 * 1024;

/** One HTTP/2 connection to an upstream, by node:http2. */
export class UpstreamSession {
  readonly #options: SessionOptions;
  readonly #session: ClientHttp2Session;
  readonly #resets: TokenBucket;
  readonly #owedResets = new Set<ClientHttp2Stream>();
  readonly #stallListeners = new Set<() => void>();
  readonly #connectTimer: Disposable;
  #liveness: Liveness | undefined;
  #state: SessionState = "connecting";
  #inFlight = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { clock, resetBurst, resetsPerSecond } = options;
    this.#resets = new TokenBucket({ clock, burst: resetBurst, perSecond: resetsPerSecond });
    const session = connect(`http://${formatAddress(options.address)}`, {
      settings: { initialWindowSize: streamWindowBytes, enablePush: false },
      maxSessionMemory: 1024,
      peerMaxConcurrentStreams: 4096,
    });
    this.#session = session;
    this.#connectTimer = options.clock.timer(options.connectTimeoutMs, () => {
      if (this.#state === "connecting") this.destroy();
    });
    session.once("connect", () => {
      // The event comes a turn later: the connection may be over by then.
      if (!session.destroyed) session.setLocalWindowSize(options.receiveWindowBytes);
    });
    session.once("remoteSettings", () => this.#onSettings());
    session.on("goaway", () => this.#enter("retiring"));
    session.on("error", () => {});
    session.on("close", () => this.#onClose());
  }

  get state(): SessionState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  unary(request: UnaryRequest): Promise<UnaryResult> {
    return new Promise((resolve, reject) => {
      if (request.signal?.aborted) return reject(new TransportError("cancelled", "The call was cancelled.", false));
      const stream = this.#request(request, false);
      if (stream instanceof TransportError) return reject(stream);
      this.#watchForStall(stream, request.onStall);
      new UnaryExchange({ stream, request, resolve, reject, cancel: this.#cancel }).start();
    });
  }

  open(request: StreamRequest): ClientStream {
    if (request.signal?.aborted) throw new TransportError("cancelled", "The call was cancelled.", false);
    const stream = this.#request(request, false);
    if (stream instanceof TransportError) throw stream;
    return new NodeClientStream({ stream, signal: request.signal, cancel: this.#cancel });
  }

  /** Takes no more calls; closes when the last one is done. */
  retire(): void {
    this.#enter("retiring");
    this.#session.close();
  }

  /** Ends the connection and every call on it. */
  destroy(): void {
    // With a code: without one node:http2 ends the streams as if what came so far were whole.
    this.#session.destroy(undefined, constants.NGHTTP2_CANCEL);
  }

  #request(request: StreamRequest, endStream: boolean): ClientHttp2Stream | TransportError {
    try {
      const head = {
        ":method": request.method ?? "POST",
        ":path": request.path,
        ...(request.authority === undefined ? undefined : { ":authority": request.authority }),
        ...request.headers,
      };
      const stream = this.#session.request(head, { endStream });
      this.#inFlight += 1;
      stream.once("close", this.#onStreamClose);
      return stream;
    } catch (error) {
      return new TransportError("not-connected", "The connection is gone.", false, error);
    }
  }

  readonly #onStreamClose = (): void => {
    this.#inFlight -= 1;
  };

  /** Resets a stream if the budget allows, else drops what still comes and resets it later. */
  readonly #cancel = (stream: ClientHttp2Stream): void => {
    if (stream.destroyed || stream.closed) return;
    if (this.#resets.take()) {
      reset(stream);
      return;
    }
    stream.resume();
    this.#owedResets.add(stream);
    stream.once("close", () => this.#owedResets.delete(stream));
  };

  #payOwedResets(): void {
    for (const stream of this.#owedResets) {
      if (!this.#resets.take()) return;
      this.#owedResets.delete(stream);
      if (!stream.destroyed) reset(stream);
    }
  }

  #onSettings(): void {
    if (this.#session.destroyed) return;
    this.#connectTimer[Symbol.dispose]();
    this.#enter("ready");
    this.#liveness = this.#watch();
  }

  #onClose(): void {
    this.#connectTimer[Symbol.dispose]();
    this.#liveness?.[Symbol.dispose]();
    this.#enter("closed");
  }

  #watch(): Liveness {
    const { clock, pingIntervalMs, pingTimeoutMs, deadAfterMs } = this.#options;
    const session = this.#session;
    return new Liveness({
      clock,
      pingIntervalMs,
      pingTimeoutMs,
      deadAfterMs,
      isBusy: () => this.#stallListeners.size > 0,
      bytesRead: () => session.socket?.bytesRead ?? 0,
      ping: (answered) => {
        this.#payOwedResets();
        if (!session.destroyed) session.ping((error) => (error === null ? answered() : undefined));
      },
      onStall: () => this.#onSilence(),
      onRecover: () => (this.#state === "stalled" ? this.#enter("ready") : undefined),
      onDeath: () => this.destroy(),
    });
  }

  #watchForStall(stream: ClientHttp2Stream, onStall: (() => void) | undefined): void {
    if (onStall === undefined) return;
    this.#stallListeners.add(onStall);
    if (this.#stallListeners.size === 1) this.#liveness?.wake();
    stream.once("close", () => this.#stallListeners.delete(onStall));
  }

  #onSilence(): void {
    if (this.#state === "ready") this.#enter("stalled");
    for (const onStall of [...this.#stallListeners]) onStall();
  }

  #enter(state: SessionState): void {
    if (this.#state === state || this.#state === "closed") return;
    if (this.#state === "retiring" && state !== "closed") return;
    this.#state = state;
    this.#options.onState(this, state);
  }
}

/** In mid-body node:http2's `close(code)` sends a clean end before the reset, so that the peer would take what it has for the whole. */
function reset(stream: ClientHttp2Stream): void {
  if (stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL);
  else stream.destroy(new TransportError("cancelled", "The call was cancelled.", true));
}
