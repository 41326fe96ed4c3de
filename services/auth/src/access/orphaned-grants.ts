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
  readonly library: Pick<ModelLibrary, "modelSince" | "datasetSince">;
}

/**
 * Takes back the grants on a deleted model or dataset, so that a new one of the same name does not inherit them. The registry is asked whether the model is gone: grants on one
 * that was there before the event stay. Bears repetition: grants made after the deletion stay. Rejects while the registry cannot be asked.
 */
export async function removeOrphanedGrants(options: OrphanedGrantsOptions, event: Event): Promise<void> {
  const { writer, events, library } = options;
  const gone = deletedName(event);
  if (gone === undefined || event.occurredAt === undefined) return;
  const { project, name } = gone;
  const until = timestampDate(event.occurredAt);
  if (await isThereSince(library, gone, until)) return;
  const resource = formatResource(project, name);
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

interface Deleted {
  readonly project: string;
  readonly name: string;
  readonly kind: "model" | "dataset";
}

/** What an event says is gone as a whole. */
function deletedName({ payload }: Event): Deleted | undefined {
  if (payload.case === "modelChanged" && payload.value.change === Change.DELETED)
    return { project: payload.value.project, name: payload.value.model, kind: "model" };
  if (payload.case === "datasetDeleted" && payload.value.version === 0n)
    return { project: payload.value.project, name: payload.value.dataset, kind: "dataset" };
  return undefined;
}

/**
 * Whether what is said to be gone is there, or the other of model and dataset has its name and so its grants. Of a dataset only the newest version's moment is known, which
 * may be later than the event though the dataset is not.
 */
async function isThereSince(
  library: OrphanedGrantsOptions["library"],
  { project, name, kind }: Deleted,
  until: Date,
): Promise<boolean> {
  const [model, dataset] = await Promise.all([library.modelSince(project, name), library.datasetSince(project, name)]);
  if (model !== undefined && model < until) return true;
  return dataset !== undefined && (kind === "model" || dataset < until);
}
