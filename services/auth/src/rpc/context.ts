import type { Acknowledgement } from "@aimass/api/auth";
import { AimassError, type Clock } from "@aimass/core";
import { credentialFromHeaders, type PolicyStore, type Principal } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { HandlerContext } from "@connectrpc/connect";
import type { Cause } from "../database.ts";
import type { Enforcers } from "../policy/enforcers.ts";
import type { Changed } from "../policy/policy-change.ts";

/** What every handler needs to know the caller and to answer for a change. */
export interface Guard {
  readonly policy: PolicyStore;
  readonly enforcers: Enforcers;
  readonly clock: Clock;
}

/** Who caused what the handler does. */
export function causeOf(context: HandlerContext): Cause {
  const { principal, traceparent } = callerOf(context);
  return { actor: principal.id, traceparent };
}

/** The caller if it may do something on the whole platform. Throws PERMISSION_DENIED. */
export function requirePlatform(guard: Guard, context: HandlerContext, verb: string): Principal {
  return requireVerb(context, guard.policy, verb, "*", guard.clock);
}

/** The caller when it is a user or a service account. Throws UNAUTHENTICATED for others. */
export function requirePerson(context: HandlerContext): Principal {
  const { principal } = callerOf(context);
  if (principal.kind === "user" || principal.kind === "service-account") return principal;
  throw new AimassError("UNAUTHENTICATED", "This needs a credential of a user or a service account.", {
    remedy: "Sign in, or send an API key.",
  });
}

/** The session the caller's access token belongs to; undefined for an API key, and for a call without a credential of its own. */
export function sessionOf(guard: Guard, context: HandlerContext): string | undefined {
  const credential = credentialFromHeaders((name) => context.requestHeader.get(name) ?? undefined);
  if (credential === undefined) return undefined;
  return guard.policy.policy.authenticateSession(credential, guard.clock.now()).sessionId;
}

/**
 * The session of a person who is signed in. What makes credentials asks for it: what a key made would outlive the key and its revocation.
 * Throws PERMISSION_DENIED for an API key.
 */
export function requireSession(guard: Guard, context: HandlerContext, what: string): string {
  const session = sessionOf(guard, context);
  if (session !== undefined) return session;
  throw new AimassError("PERMISSION_DENIED", `An API key cannot ${what}.`, {
    reason: "SESSION_NEEDED",
    remedy: "Sign in with `aimass login`, without AIMASS_API_KEY.",
  });
}

/** Waits until live enforcers have a change, at most a second. */
export function acknowledged(guard: Guard, changed: Changed<unknown>): Promise<Acknowledgement> {
  return guard.enforcers.waitFor(changed);
}

/** Services that tell where a call came from; each overwrites what its client said. */
const doors: readonly string[] = ["router", "console"];

/** The client's address as the door of the mesh saw it; empty when the call did not come through one. */
export function clientAddress(context: HandlerContext): string {
  const { service } = callerOf(context);
  return doors.includes(service.role) ? (context.requestHeader.get("x-forwarded-for") ?? "").slice(0, 64) : "";
}
