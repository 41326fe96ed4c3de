import { Change, type Event } from "@aimass/api/events";
import { formatResource, policyEntryKey } from "@aimass/identity";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { AuthEvents } from "../events.ts";
import type { PolicyWriter } from "../policy/policy-change.ts";
import type { GrantRow } from "./grant-row.ts";
import { tellGrant } from "./grants.ts";
import type { ModelLibrary } from "./model-library.ts";

export interface OrphanedGrantsOptions {
  readonly writer: PolicyWriter;
  readonly events: AuthEvents;
  readonly library: Pick<ModelLibrary, "modelSince">;
}

/**
 * Takes back the grants on a deleted model, so that a new one of the same name does not inherit them. The registry is asked whether the model is gone: grants on one
 * that was there before the event stay. Bears repetition: grants made after the deletion stay. Rejects while the registry cannot be asked.
 */
export async function removeOrphanedGrants(options: OrphanedGrantsOptions, event: Event): Promise<void> {
  const { writer, events, library } = options;
  const { payload, occurredAt } = event;
  if (payload.case !== "modelChanged" || payload.value.change !== Change.DELETED || occurredAt === undefined) return;
  const { project, model } = payload.value;
  const until = timestampDate(occurredAt);
  const since = await library.modelSince(project, model);
  if (since !== undefined && since < until) return;
  const resource = formatResource(project, model);
  const cause = { actor: "service:auth", traceparent: event.traceparent };
  await writer.change(async ({ tx, touch }) => {
    const { rows } = await sql<GrantRow>`
      delete from access_grant
      where created_at <= ${until} and (resource = ${resource} or starts_with(resource, ${`${resource}@`}))
      returning *`.execute(tx);
    for (const row of rows) {
      touch(policyEntryKey.grant(row.id));
      await tellGrant(events, tx, cause, row, "deleted");
    }
  });
}
