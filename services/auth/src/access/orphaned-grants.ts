import { Change, type Event } from "@aimass/api/events";
import { formatResource, policyEntryKey } from "@aimass/identity";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { AuthEvents } from "../events.ts";
import type { PolicyWriter } from "../policy/policy-change.ts";
import type { GrantRow } from "./grant-row.ts";
import { tellGrant } from "./grants.ts";

/**
 * Takes back the grants on a deleted model or project, so that a new one of the same name does not inherit them. Bears repetition: grants made after the
 * deletion stay.
 */
export async function removeOrphanedGrants(writer: PolicyWriter, events: AuthEvents, event: Event): Promise<void> {
  const gone = deletedResource(event);
  if (gone === undefined || event.occurredAt === undefined) return;
  const until = timestampDate(event.occurredAt);
  const cause = { actor: "service:auth", traceparent: event.traceparent };
  await writer.change(async ({ tx, touch }) => {
    const { rows } = await sql<GrantRow>`
      delete from access_grant
      where created_at <= ${until} and (resource = ${gone.resource} or starts_with(resource, ${gone.inside}))
      returning *`.execute(tx);
    for (const row of rows) {
      touch(policyEntryKey.grant(row.id));
      await tellGrant(events, tx, cause, row, "deleted");
    }
  });
}

/** The resource that is gone, and what everything inside it begins with. */
function deletedResource({ payload }: Event): { resource: string; inside: string } | undefined {
  if (payload.case === "modelChanged" && payload.value.change === Change.DELETED) {
    const resource = formatResource(payload.value.project, payload.value.model);
    return { resource, inside: `${resource}@` };
  }
  if (payload.case === "projectChanged" && payload.value.change === Change.DELETED) {
    return { resource: payload.value.project, inside: `${payload.value.project}.` };
  }
  return undefined;
}
