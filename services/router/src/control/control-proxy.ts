import { AimassError, type Clock } from "@aimass/core";
import {
  type ClientStream,
  type HeaderFields,
  PacedBody,
  type ServerCall,
  TransportError,
  type Upstream,
} from "@aimass/h2";
import {
  type PolicyStore,
  type Principal,
  refusedTokenHeader,
  type ServiceIdentity,
  serviceTokenRefused,
} from "@aimass/identity";
import type { Tracer } from "@aimass/telemetry";
import type { RouterMetrics } from "../metrics.ts";
import { signInFirst } from "../pipeline/access.ts";
import { parseGrpcTimeout, parseMilliseconds } from "../pipeline/deadline.ts";
import { knownPrincipal } from "../pipeline/known-principal.ts";
import { leastBodyBytes } from "../pipeline/least-pace.ts";
import { Quota } from "../pipeline/quota.ts";
import type { RefusedTokens } from "../pipeline/refused-tokens.ts";
import type { Backend, BackendProcess } from "./backend.ts";
import type { ClientAddress } from "./client-address.ts";
import { type BackendName, isStreamingPath, streamVerbs } from "./public-services.ts";
import { ReplayableBody } from "./replayable-body.ts";

export interface ControlProxyOptions {
  readonly backends: Readonly<Record<BackendName, Backend>>;
  readonly identity: ServiceIdentity;
  readonly policy: PolicyStore;
  readonly addresses: ClientAddress;
  readonly refusedTokens: RefusedTokens;
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly metrics: RouterMetrics;
  /** How long a call waits for a process of its service to come up. */
  readonly holdMs: number;
  /** How long the body of a call of one message may take to come, in milliseconds. */
  readonly bodyTimeoutMs: number;
}

/** Streaming calls under way at a time: all, of one caller, and of all callers without a credential together. */
const maxStreams = 1024;
const maxOwnStreams = 128;
const maxAnonymous = 8;

/** Largest body of a caller without a credential, where nothing is granted to all: signing in takes less. */
const strangerBytes = 64 * 1024;

/** Tries with a fresh token after a service refused one. */
const maxRefusals = 2;

/** Headers that belong to one connection (RFC 9110, 7.6.1), or that only the mesh may set. */
const connectionHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
]);

/** Passes calls on to the service that answers them, both ways as they flow. Sent again to another process only when provably not begun. */
export class ControlProxy {
  readonly #options: ControlProxyOptions;
  /** Each streaming call takes a connection of its own to its service. */
  readonly #streams = new Quota({
    totalLimit: maxStreams,
    principalLimit: maxOwnStreams,
    anonymousLimit: maxAnonymous,
  });

  constructor(options: ControlProxyOptions) {
    this.#options = options;
  }

  /** Throws UNAVAILABLE when no process of the service takes the call. */
  async pass(call: ServerCall, name: BackendName): Promise<void> {
    const { metrics, tracer } = this.#options;
    using span = tracer.start(`router.${name}`, { parent: call.headers.traceparent, kind: "server" });
    try {
      const headers = this.#forwardedHeaders(call, span.traceparent);
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
      await this.#pass(call, name, { headers, body });
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
    const onPiece = (length: number) => {
      bytes += length;
      if (isStranger && bytes > strangerBytes) throw signInFirst();
    };
    const timeoutMs = Math.min(timeoutOf(call.headers) ?? bodyTimeoutMs, bodyTimeoutMs);
    await this.#pass(call, name, { headers, body: this.#paced(call, { timeoutMs, onPiece }) });
  }

  #paced(call: ServerCall, rules: { timeoutMs?: number; onPiece?: (bytes: number) => void }): PacedBody<Buffer> {
    return new PacedBody(call.chunks(), { clock: this.#options.clock, leastBytes: leastBodyBytes, ...rules });
  }

  async #pass(
    call: ServerCall,
    name: BackendName,
    { headers, body: paced }: { headers: HeaderFields; body: PacedBody<Buffer> },
  ): Promise<void> {
    const body = new ReplayableBody(paced);
    const tried = new Set<BackendProcess>();
    let refusals = 0;
    const endsAt = this.#options.clock.monotonic() + this.#options.holdMs;
    while (true) {
      const process = this.#options.backends[name].pick(tried);
      if (process === undefined) {
        await this.#wait(name, endsAt, call.signal);
        tried.clear();
        continue;
      }
      tried.add(process);
      try {
        const sent = { ...headers, "aimass-service": this.#options.identity.token() };
        if (!isStreamingPath(call.path)) return await exchange(call, process.shared, sent, body);
        return await process.withLane(call.signal, (lane) => exchange(call, lane, sent, body));
      } catch (error) {
        if (error instanceof TokenRefused) {
          this.#options.refusedTokens.note(name);
          refusals += 1;
          if (!body.isReplayable || refusals > maxRefusals) throw tokenRefused(name);
          tried.delete(process);
          continue;
        }
        if (!(error instanceof TransportError)) throw error;
        if (paced.failure !== undefined && paced.failure.code !== "CANCELLED") throw paced.failure;
        if (error.kind === "cancelled") throw new AimassError("CANCELLED", "The caller went away.");
        if (error.started || !body.isReplayable) throw lost(name, error);
      }
    }
  }

  async #wait(name: BackendName, endsAt: number, signal: AbortSignal): Promise<void> {
    const leftMs = endsAt - this.#options.clock.monotonic();
    const backend = this.#options.backends[name];
    const mayWait = leftMs > 0 && backend.processes.length > 0 && !signal.aborted;
    if (mayWait && (await backend.wait(Math.min(leftMs, 250), signal))) return;
    throw new AimassError("UNAVAILABLE", `The ${name} service cannot be reached.`, {
      reason: "SERVICE_UNREACHABLE",
      remedy: "Try again; `aimass status` shows what is up. Deployed models answer all the same.",
      retryAfterMs: 1000,
    });
  }

  #forwardedHeaders(call: ServerCall, traceparent: string): HeaderFields {
    const headers: Record<string, string> = {};
    for (const name in call.headers) {
      if (connectionHeaders.has(name) || name.startsWith("aimass-") || name.startsWith("x-forwarded-")) continue;
      if (name === "forwarded") continue;
      headers[name] = call.headers[name] as string;
    }
    if (headers.te !== undefined) headers.te = "trailers";
    headers["x-forwarded-for"] = this.#options.addresses.of(call);
    headers["x-forwarded-host"] = call.authority;
    headers["x-forwarded-proto"] = this.#options.addresses.isSecure(call) ? "https" : "http";
    headers.traceparent = traceparent;
    return headers;
  }
}

/** Whether a body is declared as large, or may unfold to be, for calls that need no credential. */
function mayBecomeLarge({ headers, path }: ServerCall): boolean {
  if (Number(headers["content-length"] ?? 0) > strangerBytes) return true;
  const isCompressed = [headers["grpc-encoding"], headers["content-encoding"]].some(
    (encoding) => encoding !== undefined && encoding !== "identity",
  );
  return isCompressed && !path.startsWith("/aimass.auth.v1.SessionService/");
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

/** A service does not take this router's token. */
class TokenRefused extends Error {}

/** Sends the call to one process and brings its answer back. Throws a TransportError or TokenRefused only as long as nothing was answered. */
async function exchange(
  call: ServerCall,
  upstream: Upstream,
  headers: HeaderFields,
  body: ReplayableBody,
): Promise<void> {
  const { method, path, authority, signal } = call;
  const stream = upstream.open({ method, path, authority, headers, signal });
  let isCurrent = true;
  const confirm = isEndUnproven(call) ? () => call.confirmBody() : undefined;
  void sendBody(
    stream,
    body.read(() => isCurrent),
    confirm,
  );
  try {
    const { status, headers: answered } = await stream.response;
    if (answered[refusedTokenHeader] !== undefined) {
      stream.reset();
      throw new TokenRefused();
    }
    await bringAnswer(call, stream, status, answered);
    // Whoever is answered in mid-body, by a refusal or at the deadline, ends the rest cleanly: it must not end the request as well.
    if (!body.isEnded) stream.reset();
  } catch (error) {
    isCurrent = false;
    throw error;
  }
}

/** JSON and a framed message show that they were cut short. A lone message in binary, and a stream of messages, end anywhere. */
function isEndUnproven(call: ServerCall): boolean {
  return isStreamingPath(call.path) || call.headers["content-type"]?.startsWith("application/proto") === true;
}

async function sendBody(
  stream: ClientStream,
  chunks: AsyncIterable<Buffer>,
  confirm: (() => Promise<void>) | undefined,
): Promise<void> {
  try {
    for await (const chunk of chunks) await stream.write(chunk);
    await confirm?.();
    stream.end();
  } catch {
    // The caller hung up half-way: without an end before the reset, the service cannot take what it has for the whole.
    stream.reset();
  }
}

async function bringAnswer(
  call: ServerCall,
  stream: ClientStream,
  status: number,
  headers: HeaderFields,
): Promise<void> {
  const writer = call.open(status, answerHeaders(headers));
  try {
    for await (const chunk of stream.chunks()) await writer.write(chunk);
    writer.end(await stream.trailers);
  } catch {
    // The answer has begun; all that is left is to let the caller notice that it is not whole.
    writer.reset();
    stream.reset();
  }
}

function answerHeaders(headers: HeaderFields): HeaderFields {
  const kept: Record<string, string> = {};
  for (const name in headers) if (!connectionHeaders.has(name)) kept[name] = headers[name] as string;
  return kept;
}

function tokenRefused(name: BackendName): AimassError {
  return new AimassError(
    "UNAVAILABLE",
    `The ${name} service cannot be asked now: the services of the mesh do not agree.`,
    {
      reason: serviceTokenRefused,
      remedy: "Try again; if it stays so, an operator finds the reason in the router's log.",
      retryAfterMs: 1000,
    },
  );
}

function lost(name: BackendName, cause: TransportError): AimassError {
  return new AimassError(
    "UNAVAILABLE",
    `The ${name} service was lost during the call; whether it took effect is not known.`,
    {
      reason: "SERVICE_LOST",
      retryAfterMs: 500,
      cause,
    },
  );
}
