import type { ServerCall } from "@aimass/h2";
import { anonymous, credentialFromHeaders, type PolicyStore, type Principal } from "@aimass/identity";

/** Who calls, where nobody has to say so: a credential that does not hold counts as none, and so does any before there is a policy. */
export function knownPrincipal(call: Pick<ServerCall, "headers">, policy: PolicyStore, now: number): Principal {
  try {
    return policy.policy.authenticate(
      credentialFromHeaders((header) => call.headers[header]),
      now,
    );
  } catch {
    return anonymous;
  }
}
