import type { SessionService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { credentialFromHeaders } from "@aimass/identity";
import { callerOf } from "@aimass/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { AuthMetrics } from "../metrics.ts";
import { assertPassword } from "../passwords/password-hasher.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { SigningKeys } from "../signing/signing-keys.ts";
import { causeOf, clientAddress, type Guard, requirePerson } from "./context.ts";

export interface SessionServiceOptions {
  readonly guard: Guard;
  readonly sessions: Sessions;
  readonly keys: SigningKeys;
  readonly metrics: AuthMetrics;
}

/** Methods that work with a credential that has run out. */
export const publicMethods: ReadonlySet<string> = new Set(["SignIn", "RefreshSession", "SignOut", "GetJwks"]);

export function createSessionService(options: SessionServiceOptions): ServiceImpl<typeof SessionService> {
  const { guard, sessions, keys, metrics } = options;
  return {
    async signIn({ username, password }, context) {
      const { traceparent } = callerOf(context);
      const address = clientAddress(context);
      try {
        const tokens = await sessions.signIn({ username, password, address, traceparent });
        metrics.signIns.add(1, { outcome: "signed_in" });
        return { tokens };
      } catch (error) {
        metrics.signIns.add(1, { outcome: AimassError.from(error).reason ?? "FAILED" });
        throw error;
      }
    },
    async refreshSession({ refreshToken }, context) {
      return { tokens: await sessions.refresh(refreshToken, callerOf(context).traceparent) };
    },
    async signOut({ refreshToken }, context) {
      await sessions.signOut(refreshToken, callerOf(context).traceparent);
      return {};
    },
    whoAmI(_request, context) {
      const { id, groups, roles } = callerOf(context).principal;
      return { principal: id, groups: [...groups], roles: [...roles] };
    },
    async changePassword({ currentPassword, newPassword }, context) {
      const principal = requirePerson(context);
      if (principal.kind !== "user")
        throw new AimassError("FAILED_PRECONDITION", `${principal.id} has no password; service accounts use API keys.`);
      assertPassword(newPassword, "new_password");
      const request = {
        principal: principal.id,
        current: currentPassword,
        next: newPassword,
        keepSession: sessionOf(guard, context),
        address: clientAddress(context),
      };
      await sessions.changePassword(request, causeOf(context));
      return {};
    },
    async getJwks() {
      return { jwksJson: await keys.jwks() };
    },
  };
}

/** The session the caller's access token belongs to; undefined for an API key. */
function sessionOf(guard: Guard, context: HandlerContext): string | undefined {
  const credential = credentialFromHeaders((name) => context.requestHeader.get(name) ?? undefined);
  if (credential === undefined) return undefined;
  return guard.policy.policy.authenticateSession(credential, guard.clock.now()).sessionId;
}
