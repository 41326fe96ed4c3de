import { AimassError, type Clock } from "@aimass/core";
import type { PolicyStore, Principal, ServiceSender } from "@aimass/identity";
import { createContextKey, type HandlerContext } from "@connectrpc/connect";

/** Who calls, as the server made sure of it before it read the request. */
export interface Caller {
  /** The process the call came from; its service token was verified. */
  readonly service: ServiceSender;
  /** On whose behalf: decides what is allowed. */
  readonly principal: Principal;
  /** W3C trace context of this call. */
  readonly traceparent: string;
}

/** Where the server leaves the caller; tests that run handlers without a server may set it. */
export const callerKey = createContextKey<Caller | undefined>(undefined, { description: "caller" });

/**
 * Who calls. The principal is whose credential came with the call; else whom a service that may do so named in `aimass-principal`; else, for a call that a
 * router passed on, "anonymous"; else the service itself. Throws UNAUTHENTICATED outside of `serveRpc`.
 */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new AimassError("UNAUTHENTICATED", "Nothing is known about the caller.");
  return caller;
}

/** How a refusal looks to callers who may not even know the thing. */
export interface HiddenOptions {
  /** True: without `model.view` (or `viewVerb`) the answer is NOT_FOUND with this sentence, exactly as for a thing that does not exist. */
  readonly hidden: true;
  readonly notFound: string;
  /** Default "model.view". */
  readonly viewVerb?: string;
}

/** The caller's principal if it may do `verb` on `resource`. Throws PERMISSION_DENIED, UNAUTHENTICATED for an anonymous caller, or NOT_FOUND by `options`. */
export function requireVerb(
  context: HandlerContext,
  policy: PolicyStore,
  verb: string,
  resource: string,
  clock: Clock,
  options?: HiddenOptions,
): Principal {
  const { principal } = callerOf(context);
  const now = clock.now();
  const decision = policy.policy.decide(principal, verb, resource, now);
  if (decision.allowed) return principal;
  const viewVerb = options?.viewVerb ?? "model.view";
  if (options?.hidden && !(viewVerb !== verb && policy.policy.allows(principal, viewVerb, resource, now))) {
    throw new AimassError("NOT_FOUND", options.notFound);
  }
  if (principal.kind === "anonymous") {
    throw new AimassError("UNAUTHENTICATED", `Without signing in, ${verb} on ${resource} is not allowed.`, {
      remedy: "Sign in, or send an API key.",
    });
  }
  const message = `${principal.id} may not ${verb} on ${resource}: ${decision.reason}`;
  if (decision.grantId !== undefined)
    throw new AimassError("PERMISSION_DENIED", message, {
      reason: "ACCESS_DENIED",
      remedy: "No grant outweighs a deny: ask someone with grant.write on it to remove that one.",
    });
  throw new AimassError("PERMISSION_DENIED", message, {
    reason: "ACCESS_DENIED",
    remedy: "Ask someone with grant.write on it for a grant.",
  });
}
