import { AimassError } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import type { ServiceIdentity } from "@aimass/identity";

/**
 * Lets in only what a router sends. The headers that say which model and version is meant, and on whose behalf, are a router's decisions; from anyone else they would
 * be a way around access control. Throws UNAUTHENTICATED.
 */
export function admitRouter(call: ServerCall, identity: Pick<ServiceIdentity, "verify">): void {
  const token = call.headers["aimass-service"];
  if (token === undefined) throw refused("A replica answers routers only; this call has no service token.");
  const { role } = identity.verify(token);
  if (role !== "router") throw refused(`A replica answers routers only; this call comes from the role "${role}".`);
}

function refused(message: string): AimassError {
  return new AimassError("UNAUTHENTICATED", message, { reason: "NOT_A_ROUTER", remedy: "Call the router's address." });
}
