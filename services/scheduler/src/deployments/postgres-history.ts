import {
  type DeploymentHistoryEntry,
  DeploymentHistoryEntrySchema,
  type DeploymentSpec,
  type RolloutStepSchema,
} from "@aimass/api/scheduler";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { SchedulerStore, SchedulerTransaction } from "../database.ts";

/** Entries kept of one model. */
const keptEntries = 1000;

/** What happened, in the words of the API. */
export type DeploymentHappening =
  | { readonly case: "specChange"; readonly value: { readonly spec?: DeploymentSpec } }
  | { readonly case: "rolloutStep"; readonly value: MessageInitShape<typeof RolloutStepSchema> };

/** Notes what happened to the deployment of a model, and forgets its oldest entries. */
export async function noteHappening(
  tx: SchedulerTransaction,
  key: string,
  { actor, happening }: { actor: string; happening: DeploymentHappening },
): Promise<void> {
  const entry = Buffer.from(
    toBinary(DeploymentHistoryEntrySchema, create(DeploymentHistoryEntrySchema, { entry: happening })),
  );
  await tx.insertInto("deployment_history").values({ key, actor, entry }).execute();
  const ofModel = tx.selectFrom("deployment_history").select("id").where("key", "=", key);
  const oldest = ofModel.orderBy("id", "desc").offset(keptEntries).limit(1);
  await tx.deleteFrom("deployment_history").where("key", "=", key).where("id", "<=", oldest).execute();
}

/** Entries of a model before `before`, newest first, one more than `size`. */
export async function listHappenings(
  store: SchedulerStore,
  key: string,
  { before, size }: { before: string | undefined; size: number },
): Promise<{ id: string; entry: DeploymentHistoryEntry }[]> {
  let query = store.db.selectFrom("deployment_history").selectAll().where("key", "=", key).orderBy("id", "desc");
  if (before !== undefined) query = query.where("id", "<", before);
  return (await query.limit(size + 1).execute()).map(({ id, at, actor, entry }) => ({
    id,
    entry: { ...fromBinary(DeploymentHistoryEntrySchema, entry), at: timestampFromDate(at), actor },
  }));
}

/** Forgets what happened up to a time, or all: a model of the same name that is made later starts with nothing. */
export async function forgetHappenings(tx: SchedulerTransaction, key: string, until: Date | undefined): Promise<void> {
  const ofModel = tx.deleteFrom("deployment_history").where("key", "=", key);
  await (until === undefined ? ofModel : ofModel.where("at", "<=", until)).execute();
}
