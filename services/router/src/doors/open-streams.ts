import { AimassError, type Clock } from "@aimass/core";
import { networkOf, type ServerCall } from "@aimass/h2";
import type { Principal } from "@aimass/identity";
import type { ClientAddress } from "../control/client-address.ts";
import { EndableCall } from "./endable-call.ts";

export interface OpenStreamsOptions {
  /** Streams of callers without a credential: all, and of one IPv4 address or one /64 network of IPv6. */
  readonly anonymousLimit: number;
  readonly addressLimit: number;
  /** Streams of one caller who is known. */
  readonly principalLimit: number;
  /** How long nothing may move on a stream of a caller without a credential, in milliseconds. */
  readonly idleMs: number;
  readonly addresses: ClientAddress;
  readonly clock: Clock;
}

/** Where callers without a credential come from. */
interface Origin {
  readonly network: string;
  readonly isProxy: boolean;
  /** Oldest first. */
  readonly streams: Set<EndableCall>;
}

/**
 * Bounds the streams that stay open as long as their callers like: their connections count as busy, and nobody else's call would end them. Callers without
 * a credential are told apart by where they come from. When all their places are taken, an address with fewer streams gets one of the address that has most.
 */
export class OpenStreams implements Disposable {
  readonly #options: OpenStreamsOptions;
  readonly #byPrincipal = new Map<string, number>();
  readonly #origins = new Map<string, Origin>();
  #anonymous = 0;
  #known = 0;
  #ended = 0;
  #timer: Disposable | undefined;

  constructor(options: OpenStreamsOptions) {
    this.#options = options;
  }

  /** Streams of callers without a credential now. */
  get anonymous(): number {
    return this.#anonymous;
  }

  /** Streams of known callers now. */
  get known(): number {
    return this.#known;
  }

  /** Streams so far that were refused, or ended by the router. */
  get ended(): number {
    return this.#ended;
  }

  /** Answers a streaming call by `answer`, counted for as long. Throws RESOURCE_EXHAUSTED when its caller has too many. */
  hold(call: ServerCall, principal: Principal, answer: (call: ServerCall) => Promise<void>): Promise<void> {
    return principal.kind === "anonymous"
      ? this.#holdAnonymous(call, answer)
      : this.#holdKnown(call, principal, answer);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  async #holdKnown(call: ServerCall, { id }: Principal, answer: (call: ServerCall) => Promise<void>): Promise<void> {
    const { principalLimit } = this.#options;
    const own = this.#byPrincipal.get(id) ?? 0;
    if (own >= principalLimit) throw this.#refusal(`You have ${own} streams open, which is the limit for one caller.`);
    this.#byPrincipal.set(id, own + 1);
    this.#known += 1;
    try {
      await answer(call);
    } finally {
      this.#known -= 1;
      const left = (this.#byPrincipal.get(id) ?? 1) - 1;
      if (left === 0) this.#byPrincipal.delete(id);
      else this.#byPrincipal.set(id, left);
    }
  }

  async #holdAnonymous(call: ServerCall, answer: (call: ServerCall) => Promise<void>): Promise<void> {
    const own = this.#originOf(call);
    this.#makePlace(own);
    const held = new EndableCall(call, this.#options.clock);
    this.#origins.set(own.network, own);
    own.streams.add(held);
    this.#anonymous += 1;
    this.#lookLater();
    try {
      await answer(held);
    } finally {
      this.#letGo(own, held);
    }
  }

  #originOf(call: ServerCall): Origin {
    const address = this.#options.addresses.of(call);
    const network = networkOf(address);
    const isProxy = this.#options.addresses.isProxy(address);
    return this.#origins.get(network) ?? { network, isProxy, streams: new Set() };
  }

  #makePlace(own: Origin): void {
    const { anonymousLimit, addressLimit } = this.#options;
    const { size } = own.streams;
    if (size >= addressLimit && !own.isProxy)
      throw this.#refusal(`Your address has ${size} streams open without a credential, which is its limit.`);
    if (this.#anonymous < anonymousLimit) return;
    const largest = this.#largest();
    const oldest = largest?.streams.values().next().value;
    if (largest === undefined || oldest === undefined || largest.streams.size <= size + 1)
      throw this.#refusal(`${anonymousLimit} streams without a credential are open, which is the limit.`);
    this.#letGo(largest, oldest);
    oldest.end(this.#refusal("The stream was ended for room: your address has most of those without a credential."));
  }

  /** Where most streams come from, proxies aside, which bring those of many. */
  #largest(): Origin | undefined {
    let largest: Origin | undefined;
    for (const origin of this.#origins.values()) {
      if (!origin.isProxy && origin.streams.size > (largest?.streams.size ?? 0)) largest = origin;
    }
    return largest;
  }

  #letGo(own: Origin, held: EndableCall): void {
    if (!own.streams.delete(held)) return;
    this.#anonymous -= 1;
    if (own.streams.size === 0) this.#origins.delete(own.network);
  }

  #lookLater(): void {
    if (this.#anonymous === 0) return;
    this.#timer ??= this.#options.clock.timer(Math.max(50, this.#options.idleMs / 10), () => {
      this.#timer = undefined;
      this.#endIdle();
      this.#lookLater();
    });
  }

  #endIdle(): void {
    const { clock, idleMs } = this.#options;
    const before = clock.monotonic() - idleMs;
    for (const own of this.#origins.values()) {
      for (const held of own.streams) {
        if (held.movedAt > before) continue;
        this.#letGo(own, held);
        held.end(this.#idle());
      }
    }
  }

  #refusal(message: string): AimassError {
    this.#ended += 1;
    return new AimassError("RESOURCE_EXHAUSTED", message, {
      reason: "STREAM_QUOTA",
      remedy: "End streams that are not needed, send requests on one that is open, or sign in.",
      retryAfterMs: 1000,
    });
  }

  #idle(): AimassError {
    this.#ended += 1;
    const message = `The stream was ended: nothing moved on it for ${this.#options.idleMs / 1000} s.`;
    return new AimassError("UNAVAILABLE", message, {
      reason: "STREAM_IDLE",
      remedy: "Open it again, or sign in: streams of known callers stay open.",
    });
  }
}
