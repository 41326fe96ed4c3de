import { AccessService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { Connection } from "./connection.ts";

/** Asks before something long begins whether the caller may do what comes at its end. Errors: PERMISSION_DENIED with that verb. */
export async function assertMay(connection: Connection, verb: string, resource: string): Promise<void> {
  // Whoever has not signed in is told so by the call itself.
  if (!connection.isSignedIn) return;
  const { allowed, reason } = await connection.client(AccessService).explainAccess({ verb, resource });
  if (allowed) return;
  throw new AimassError("PERMISSION_DENIED", `You may not ${verb} on ${resource}: ${reason}`, {
    remedy: "Ask someone with grant.write on it for a grant.",
  });
}
