import type { Clock } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import { credentialFromHeaders, type PolicyStore } from "@aimass/identity";
import type { Span, Tracer } from "@aimass/telemetry";
import type { Caller } from "./call.ts";
import { drawFromText } from "./shard.ts";

/** A caller with the span that its trace goes on by. */
export interface TracedCaller extends Caller {
  readonly span: Span;
}

/** Finds out who calls: credential → principal (remembered by the policy), deadline, trace, sticky key. */
export class CallerFactory {
  readonly #policy: PolicyStore;
  readonly #clock: Clock;
  readonly #tracer: Tracer;
  readonly #stickyHeader: string;
  readonly #defaultTimeoutMs: number;

  constructor(options: {
    policy: PolicyStore;
    clock: Clock;
    tracer: Tracer;
    stickyHeader: string;
    defaultTimeoutMs: number;
  }) {
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#tracer = options.tracer;
    this.#stickyHeader = options.stickyHeader;
    this.#defaultTimeoutMs = options.defaultTimeoutMs;
  }

  /** Throws UNAUTHENTICATED for a credential that does not hold, UNAVAILABLE when the policy is missing or too old. */
  create(call: ServerCall, name: string, timeoutMs: number | undefined): TracedCaller {
    const { headers } = call;
    const credential = credentialFromHeaders((header) => headers[header]);
    const principal = this.#policy.policy.authenticate(credential, this.#clock.now());
    if (principal.kind !== "anonymous") call.recognize();
    const stickyKey = headers[this.#stickyHeader];
    const span = this.#tracer.start(name, { parent: headers.traceparent, kind: "server" });
    return {
      principal,
      deadlineAt: this.#clock.monotonic() + Math.min(timeoutMs ?? this.#defaultTimeoutMs, this.#defaultTimeoutMs),
      signal: call.signal,
      traceparent: span.traceparent,
      draw: stickyKey === undefined ? Math.random() : drawFromText(stickyKey),
      span,
    };
  }
}
