import type { ArtifactStore } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Database, Transaction } from "../database.ts";
import { lockArtifact } from "./artifact-access.ts";

export interface CollectionOptions {
  readonly store: Store<Database>;
  readonly artifacts: ArtifactStore;
  readonly clock: Clock;
  /** Artifacts completed or named by anyone within this time are left alone. */
  readonly graceMs: number;
  readonly signal?: AbortSignal;
}

/** What a collection did. */
export interface Collection {
  readonly artifacts: number;
  readonly bytes: number;
  readonly uploads: number;
}

/**
 * Removes the artifacts nothing refers to. Each is judged and removed under the lock that a version or dataset in the making takes before it refers to an
 * artifact, and never within the grace after its upload or after someone named it. Whoever makes a version names its artifacts once more right before it is
 * registered. Any number of processes may collect at once.
 */
export async function collectArtifacts(options: CollectionOptions): Promise<Collection> {
  const uploads = await options.artifacts.dropExpired();
  const limitMs = options.clock.now() - options.graceMs;
  let [artifacts, bytes] = [0, 0];
  for await (const listed of options.artifacts.list(options.signal)) {
    if (listed.storedAtMs > limitMs) continue;
    if (!(await removeIfUnreferenced(options, listed.sha256, new Date(limitMs)))) continue;
    artifacts += 1;
    bytes += listed.sizeBytes;
  }
  return { artifacts, bytes, uploads };
}

async function removeIfUnreferenced(options: CollectionOptions, sha256: string, limit: Date): Promise<boolean> {
  if (await isReferenced(options.store.db, sha256, limit)) return false;
  return options.store.withTransaction(async (tx) => {
    await lockArtifact(tx, sha256);
    if (await isReferenced(tx, sha256, limit)) return false;
    await options.artifacts.remove(sha256);
    await tx.deleteFrom("artifact_hold").where("sha256", "=", Buffer.from(sha256, "hex")).execute();
    return true;
  });
}

async function isReferenced(db: Pick<Transaction, "selectFrom">, sha256: string, limit: Date): Promise<boolean> {
  const digest = Buffer.from(sha256, "hex");
  for (const table of ["version_file", "version_code"] as const) {
    const query = db.selectFrom(table).select("path").where("sha256", "=", digest).limit(1);
    if ((await query.executeTakeFirst()) !== undefined) return true;
  }
  const dataset = await db
    .selectFrom("dataset_version")
    .select("dataset")
    .where("sha256", "=", digest)
    .limit(1)
    .executeTakeFirst();
  if (dataset !== undefined) return true;
  const hold = await db
    .selectFrom("artifact_hold")
    .select("principal")
    .where("sha256", "=", digest)
    .where("held_at", ">", limit)
    .limit(1)
    .executeTakeFirst();
  return hold !== undefined;
}
