import { Change, type Event } from "@aimass/api/events";
import { formatResource, policyEntryKey } from "@aimass/identity";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { PolicyChange, PolicyWriter } from "../policy/policy-change.ts";
import type { GrantRow } from "./grant-row.ts";
import { tellGrant } from "./grants.ts";
import type { ModelLibrary } from "./model-library.ts";

export interface OrphanOptions {
  readonly writer: PolicyWriter;
  readonly events: AuthEvents;
  readonly library: Pick<ModelLibrary, "modelSince" | "datasetSince" | "projectSince">;
}

/**
 * Takes back the grants on a deleted model, dataset or project, and a project's policy, so that a new one of the same name does not inherit them. The registry is asked whether it is
 * gone: what is about one that was there before the event stays. Bears repetition: what was set after the deletion stays. Rejects while the registry cannot be asked.
 */
export async function removeOrphans(options: OrphanOptions, event: Event): Promise<void> {
  const { writer, events, library } = options;
  const gone = deletedName(event);
  if (gone === undefined || event.occurredAt === undefined) return;
  const until = timestampDate(event.occurredAt);
  if (await isThereSince(library, gone, until)) return;
  const [resource, within] = resourcesOf(gone);
  const cause = { actor: "service:auth", traceparent: event.traceparent };
  await writer.change(async (change) => {
    const { tx, touch } = change;
    const { rows } = await sql<GrantRow>`
      delete from access_grant
      where created_at <= ${until} and (resource = ${resource} or starts_with(resource, ${within}))
      returning *`.execute(tx);
    for (const row of rows) {
      touch(policyEntryKey.grant(row.id));
      await tellGrant(events, tx, cause, row, "deleted");
    }
    if (gone.kind === "project") await removePolicy(events, change, cause, { project: gone.project, until });
  });
}

async function removePolicy(
  events: AuthEvents,
  { tx, touch }: PolicyChange,
  cause: Cause,
  { project, until }: { project: string; until: Date },
): Promise<void> {
  const policy = tx.deleteFrom("project_policy").where("project", "=", project).where("set_at", "<=", until);
  if ((await policy.returning("project").executeTakeFirst()) === undefined) return;
  touch(policyEntryKey.project(project));
  await events.project(tx, cause, project);
}

type Deleted =
  | { readonly kind: "model" | "dataset"; readonly project: string; readonly name: string }
  | { readonly kind: "project"; readonly project: string };

/** The resource itself, and how those within it begin. */
function resourcesOf(gone: Deleted): readonly [string, string] {
  if (gone.kind === "project") return [gone.project, `${gone.project}.`];
  const resource = formatResource(gone.project, gone.name);
  return [resource, `${resource}@`];
}

/** What an event says is gone as a whole. */
function deletedName({ payload }: Event): Deleted | undefined {
  if (payload.case === "modelChanged" && payload.value.change === Change.DELETED)
    return { project: payload.value.project, name: payload.value.model, kind: "model" };
  if (payload.case === "datasetDeleted" && payload.value.version === 0n)
    return { project: payload.value.project, name: payload.value.dataset, kind: "dataset" };
  if (payload.case === "projectChanged" && payload.value.change === Change.DELETED)
    return { project: payload.value.project, kind: "project" };
  return undefined;
}

/**
 * Whether what is said to be gone is there, or the other of model and dataset has its name and so its grants. Of a dataset only the newest version's moment is known, which
 * may be later than the event though the dataset is not.
 */
async function isThereSince(library: OrphanOptions["library"], gone: Deleted, until: Date): Promise<boolean> {
  if (gone.kind === "project") {
    const since = await library.projectSince(gone.project);
    return since !== undefined && since < until;
  }
  const { project, name, kind } = gone;
  const [model, dataset] = await Promise.all([library.modelSince(project, name), library.datasetSince(project, name)]);
  if (model !== undefined && model < until) return true;
  return dataset !== undefined && (kind === "model" || dataset < until);
}
