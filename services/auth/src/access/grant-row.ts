import { type Effect, type Grant, GrantSchema, type Level } from "@aimass/api/auth";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import type { AuthDatabase } from "../database.ts";

export type GrantRow = Selectable<AuthDatabase["access_grant"]>;

/** A grant as the API and the policy carry it. */
export function encodeGrant(row: GrantRow): Grant {
  return create(GrantSchema, {
    id: row.id,
    subject: row.subject,
    resource: row.resource,
    level: row.level as Level,
    verbs: row.verbs,
    effect: row.effect as Effect,
    createdBy: row.created_by,
    createdAt: timestampFromDate(row.created_at),
    ...(row.expires_at === null ? {} : { expiresAt: timestampFromDate(row.expires_at) }),
  });
}
