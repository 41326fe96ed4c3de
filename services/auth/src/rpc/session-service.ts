import type { SessionService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { callerOf } from "@aimass/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeys } from "../directory/api-keys.ts";
import type { AuthMetrics } from "../metrics.ts";
import { assertPassword } from "../passwords/password-hasher.ts";
import type { Changed } from "../policy/policy-change.ts";
import type { OpenSessions } from "../sessions/open-sessions.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { SigningKeys } from "../signing/signing-keys.ts";
import { acknowledged, causeOf, clientAddress, type Guard, requirePerson, sessionOf } from "./context.ts";
import { sessionMethods } from "./session-methods.ts";

export interface SessionServiceOptions {
  readonly guard: Guard;
  readonly sessions: Sessions;
  readonly openSessions: OpenSessions;
  readonly apiKeys: ApiKeys;
  readonly keys: SigningKeys;
  readonly metrics: AuthMetrics;
}

/** Methods that work with a credential that has run out. */
export const publicMethods: ReadonlySet<string> = new Set(["SignIn", "RefreshSession", "SignOut", "GetJwks"]);

export function createSessionService(options: SessionServiceOptions): ServiceImpl<typeof SessionService> {
  const { guard, sessions, apiKeys, keys, metrics } = options;
  return {
    ...sessionMethods(options),
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
      const settled = (changed: Changed<unknown>) => acknowledged(guard, changed);
      return { tokens: await sessions.refresh(refreshToken, callerOf(context).traceparent, settled) };
    },
    async signOut({ refreshToken }, context) {
      const changed = await sessions.signOut(refreshToken, callerOf(context).traceparent);
      if (changed.touched) await acknowledged(guard, changed);
      return {};
    },
    whoAmI(_request, context) {
      const { id, groups, roles } = callerOf(context).principal;
      return { principal: id, groups: [...groups], roles: [...roles] };
    },
    async changePassword({ currentPassword, newPassword, revokeKeys }, context) {
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
      const cause = causeOf(context);
      const changed = await sessions.changePassword(request, cause, async (change) => {
        if (revokeKeys) await apiKeys.revokeAll(change, principal.id, cause);
      });
      await acknowledged(guard, changed);
      return {};
    },
    async getJwks() {
      return { jwksJson: await keys.jwks() };
    },
  };
}
