import type { Acknowledgement } from "@aimass/api/auth";
import { AimassError, type Clock } from "@aimass/core";
import type { PolicyStore, Principal } from "@aimass/identity";
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
