import { type Session, SessionSchema, type SessionService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { readPage, toPage } from "../page.ts";
import type { OpenSessions, SessionRow } from "../sessions/open-sessions.ts";
import { acknowledged, causeOf, type Guard, requirePerson, requirePlatform, sessionOf } from "./context.ts";

/** The methods about sessions that are open: one's own, and for administrators those of others. */
export function sessionMethods({ guard, openSessions }: { guard: Guard; openSessions: OpenSessions }) {
  /** Whose sessions are meant. Throws PERMISSION_DENIED for those of others without the verb. */
  const whose = (context: HandlerContext, named: string, verb: string) => {
    const caller = requirePerson(context);
    if (named !== "" && named !== caller.id) requirePlatform(guard, context, verb);
    return named || caller.id;
  };
  return {
    async listSessions(request, context) {
      const principal = whose(context, request.principal, "directory.read");
      const page = readPage(context, request);
      const { rows, info } = toPage(await openSessions.list(principal, page), page, ({ id }) => id);
      const current = sessionOf(guard, context);
      return { sessions: rows.map((row) => encodeSession(row, current)), page: info };
    },
    async endSession({ id, validateOnly }, context) {
      const caller = requirePerson(context);
      const row = await openSessions.find(id);
      const manages = guard.policy.policy.allows(caller, "directory.manage", "*", guard.clock.now());
      if (row === undefined || (row.principal !== caller.id && !manages))
        throw new AimassError("NOT_FOUND", `There is no session "${id.slice(0, 100)}".`, { field: "id" });
      const session = encodeSession(row, sessionOf(guard, context));
      if (validateOnly) return { session };
      const changed = await openSessions.end(row, causeOf(context));
      return { session, acknowledgement: await acknowledged(guard, changed) };
    },
    async endAllSessions(request, context) {
      const principal = whose(context, request.principal, "directory.manage");
      const keep = request.keepCurrent ? sessionOf(guard, context) : undefined;
      if (request.validateOnly) return { ids: await openSessions.idsOf(principal, keep) };
      const changed = await openSessions.endAll(principal, keep, causeOf(context));
      return { ids: changed.value, acknowledgement: await acknowledged(guard, changed) };
    },
  } satisfies Partial<ServiceImpl<typeof SessionService>>;
}

function encodeSession(row: SessionRow, current: string | undefined): Session {
  return create(SessionSchema, {
    id: row.id,
    principal: row.principal,
    createdAt: timestampFromDate(row.created_at),
    expiresAt: timestampFromDate(row.expires_at),
    current: row.id === current,
  });
}
