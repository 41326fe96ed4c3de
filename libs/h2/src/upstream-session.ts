import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { type Address, type Clock, formatAddress } from "@aimass/core";
import type { ClientStream, StreamRequest, UnaryRequest, UnaryResult } from "./client-call.ts";
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
  readonly onState: (session: UpstreamSession, state: SessionState) => void;
}

const streamWindowBytes = 4 * 1024 * 1024;
const sessionWindowBytes = 64 * 1024 * 1024;

/** Stream resets we allow ourselves. Servers take a faster pace for an attack and end the connection (nghttp2: 1000 at once, 33 a second). */
const resetBurst = 400;
const resetsPerSecond = 20;

/** One HTTP/2 connection to an upstream, by node:http2. */
export class UpstreamSession {
  readonly #options: SessionOptions;
  readonly #session: ClientHttp2Session;
  readonly #resets: TokenBucket;
  readonly #owedResets = new Set<ClientHttp2Stream>();
  readonly #stallListeners = new Set<() => void>();
  readonly #connectTimer: Disposable;
  #pingTimer: Disposable | undefined;
  #state: SessionState = "connecting";
  #inFlight = 0;
  #heardAt = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#resets = new TokenBucket({ clock: options.clock, burst: resetBurst, perSecond: resetsPerSecond });
    const session = connect(`http://${formatAddress(options.address)}`, {
      settings: { initialWindowSize: streamWindowBytes, enablePush: false },
      maxSessionMemory: 1024,
      peerMaxConcurrentStreams: 4096,
    });
    this.#session = session;
    this.#connectTimer = options.clock.timer(options.connectTimeoutMs, () => {
      if (this.#state === "connecting") session.destroy();
    });
    session.once("connect", () => session.setLocalWindowSize(sessionWindowBytes));
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

  destroy(): void {
    this.#session.destroy();
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
      stream.once("response", this.#onHeard);
      return stream;
    } catch (error) {
      return new TransportError("not-connected", "The connection is gone.", false, error);
    }
  }

  readonly #onStreamClose = (): void => {
    this.#inFlight -= 1;
  };

  readonly #onHeard = (): void => {
    this.#heardAt = this.#options.clock.monotonic();
  };

  /** Resets a stream if the budget allows, else drops what still comes and resets it later. */
  readonly #cancel = (stream: ClientHttp2Stream): void => {
    if (stream.destroyed || stream.closed) return;
    if (this.#resets.take()) {
      stream.close(constants.NGHTTP2_CANCEL);
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
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  #onSettings(): void {
    this.#connectTimer[Symbol.dispose]();
    this.#enter("ready");
    this.#pingLater();
  }

  #onClose(): void {
    this.#connectTimer[Symbol.dispose]();
    this.#pingTimer?.[Symbol.dispose]();
    this.#enter("closed");
  }

  #pingLater(): void {
    this.#pingTimer = this.#options.clock.timer(this.#options.pingIntervalMs, () => this.#ping());
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    this.#payOwedResets();
    const { clock, pingTimeoutMs, deadAfterMs } = this.#options;
    const sentAt = clock.monotonic();
    let isAnswered = false;
    const isSent = this.#session.ping((error) => {
      isAnswered = true;
      this.#pingTimer?.[Symbol.dispose]();
      if (error !== null) return;
      if (this.#state === "stalled") this.#enter("ready");
      this.#pingLater();
    });
    if (!isSent) return;
    const isSilent = () => !isAnswered && this.#heardAt < sentAt;
    // Looked at after the next poll for input: if it was this process that stood still, the answer is there by then.
    this.#pingTimer = clock.timer(pingTimeoutMs, () => {
      setImmediate(() => {
        if (isAnswered) return;
        if (isSilent()) this.#onSilence();
        this.#pingTimer = clock.timer(Math.max(0, deadAfterMs - pingTimeoutMs), () => {
          setImmediate(() => (isAnswered ? undefined : this.#session.destroy()));
        });
      });
    });
  }

  #watchForStall(stream: ClientHttp2Stream, onStall: (() => void) | undefined): void {
    if (onStall === undefined) return;
    this.#stallListeners.add(onStall);
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
