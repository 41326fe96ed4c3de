import { type HeaderFields, PacedBody, type ServerCall } from "@aimass/h2";
import type { PolicyStore, Principal } from "@aimass/identity";
import type { Tracer } from "@aimass/telemetry";
import type { RouterMetrics } from "../metrics.ts";
import { signInFirst } from "../pipeline/access.ts";
import { parseGrpcTimeout, parseMilliseconds } from "../pipeline/deadline.ts";
import { knownPrincipal } from "../pipeline/known-principal.ts";
import { leastBodyBytes } from "../pipeline/least-pace.ts";
import { Quota } from "../pipeline/quota.ts";
import { BackendCalls, type BackendCallsOptions } from "./backend-calls.ts";
import type { ClientAddress } from "./client-address.ts";
import { forwardedHeaders } from "./forwarded-headers.ts";
import { type BackendName, isStreamingPath, streamVerbs } from "./public-services.ts";
import { mayBecomeLarge, strangerBytes } from "./stranger-body.ts";

export interface ControlProxyOptions extends BackendCallsOptions {
  readonly policy: PolicyStore;
  readonly addresses: ClientAddress;
  readonly tracer: Tracer;
  readonly metrics: RouterMetrics;
  /** How long the body of a call of one message may take to come, in milliseconds. */
  readonly bodyTimeoutMs: number;
}

/** Streaming calls under way at a time: all, of one caller, and of all callers without a credential together. */
const maxStreams = 1024;
const maxOwnStreams = 128;
const maxAnonymous = 8;

/** Passes calls on to the service that answers them, both ways as they flow. Sent again to another process only when provably not begun. */
export class ControlProxy {
  readonly #options: ControlProxyOptions;
  readonly #calls: BackendCalls;
  /** Each streaming call takes a connection of its own to its service. */
  readonly #streams = new Quota({
    totalLimit: maxStreams,
    principalLimit: maxOwnStreams,
    anonymousLimit: maxAnonymous,
  });

  constructor(options: ControlProxyOptions) {
    this.#options = options;
    this.#calls = new BackendCalls(options);
  }

  /** Throws UNAVAILABLE when no process of the service takes the call. */
  async pass(call: ServerCall, name: BackendName): Promise<void> {
    const { addresses, metrics, tracer } = this.#options;
    using span = tracer.start(`router.${name}`, { parent: call.headers.traceparent, kind: "server" });
    try {
      const headers = forwardedHeaders(call, addresses, span.traceparent);
      // A credential that does not hold is its service's to refuse.
      const principal = knownPrincipal(call, this.#options.policy, this.#options.clock.now());
      if (principal.kind !== "anonymous") call.recognize();
      if (isStreamingPath(call.path)) await this.#passStream(call, name, { headers, principal });
      else await this.#passMessage(call, name, { headers, principal });
      metrics.countProxied(name, "answered");
    } catch (error) {
      span.fail(error);
      metrics.countProxied(name, "failed");
      throw error;
    }
  }

  async #passStream(
    call: ServerCall,
    name: BackendName,
    { headers, principal }: { headers: HeaderFields; principal: Principal },
  ): Promise<void> {
    const now = this.#options.clock.now();
    const { policy } = this.#options.policy;
    const verbs = streamVerbs[call.path] ?? [];
    const isForNobody = !verbs.some((verb) => policy.allowsSomewhere(principal, verb, now));
    if (principal.kind === "anonymous" && isForNobody) throw signInFirst();
    this.#streams.enter(principal.id);
    const timeoutMs = timeoutOf(call.headers);
    const body = this.#paced(call, timeoutMs === undefined ? {} : { timeoutMs });
    try {
      await this.#calls.pass(call, name, { headers, body });
    } finally {
      this.#streams.leave(principal.id);
    }
  }

  async #passMessage(
    call: ServerCall,
    name: BackendName,
    { headers, principal }: { headers: HeaderFields; principal: Principal },
  ): Promise<void> {
    const { bodyTimeoutMs, clock, policy } = this.#options;
    const isStranger = principal.kind === "anonymous" && !policy.policy.allowsAnything(principal, clock.now());
    if (isStranger && mayBecomeLarge(call)) throw signInFirst();
    let bytes = 0;
    const onPiece = (piece: Uint8Array) => {
      bytes += piece.length;
      if (isStranger && bytes > strangerBytes) throw signInFirst();
    };
    const timeoutMs = Math.min(timeoutOf(call.headers) ?? bodyTimeoutMs, bodyTimeoutMs);
    await this.#calls.pass(call, name, { headers, body: this.#paced(call, { timeoutMs, onPiece }) });
  }

  #paced(call: ServerCall, rules: { timeoutMs?: number; onPiece?: (piece: Uint8Array) => void }): PacedBody<Buffer> {
    return new PacedBody(call.chunks(), { clock: this.#options.clock, leastBytes: leastBodyBytes, ...rules });
  }
}

/** Milliseconds that a caller allows a call; undefined where they say nothing, or nonsense, which is for its service to refuse. */
function timeoutOf(headers: HeaderFields): number | undefined {
  try {
    return (
      parseGrpcTimeout(headers["grpc-timeout"]) ??
      parseMilliseconds("connect-timeout-ms", headers["connect-timeout-ms"])
    );
  } catch {
    return undefined;
  }
}
