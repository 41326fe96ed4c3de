import type { ArtifactStore, ListedArtifact } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Database, Transaction } from "../database.ts";
import { lockArtifact } from "./artifact-access.ts";
import type { StorageTie } from "./storage-tie.ts";
import type { Trash, TrashedArtifact } from "./trash.ts";

export interface CollectionOptions {
  readonly store: Store<Database>;
  readonly artifacts: ArtifactStore;
  readonly tie: StorageTie;
  readonly trash: Trash;
  readonly clock: Clock;
  /** Artifacts completed or named by anyone within this time are left alone. */
  readonly graceMs: number;
  /** How long an artifact lies in the trash before it is removed. */
  readonly trashMs: number;
  /** Part of all artifacts that may go into the trash within a day, 0–1; one is always let in. */
  readonly dailyShare: number;
  readonly signal?: AbortSignal;
}

/** What a collection did. */
export interface Collection {
  /** Artifacts there were, and artifacts that nothing refers to, those in the trash included. */
  readonly found: number;
  readonly unreferenced: number;
  /** Put into the trash, and left out of it because the day's share was used up. */
  readonly trashed: number;
  readonly postponed: number;
  /** Taken out of the trash because something refers to them again. */
  readonly restored: number;
  /** Removed for good. */
  readonly artifacts: number;
  readonly bytes: number;
  readonly uploads: number;
}

const dayMs = 24 * 3600_000;

/**
 * Puts the artifacts nothing refers to into the trash, and removes those whose time there is over. Does nothing, and says so with undefined, while database and storage
 * are not known to belong together. Each artifact is judged under the lock that a version or dataset in the making takes before it refers to an artifact, again before it
 * is removed, and never within the grace after its upload or after someone named it. Whoever makes a version names its artifacts once more right before it is
 * registered. Any number of processes may collect at once.
 */
export async function collectArtifacts(options: CollectionOptions): Promise<Collection | undefined> {
  if ((await options.tie.verify()).kind !== "tied") return undefined;
  const now = options.clock.now();
  const limit = new Date(now - options.graceMs);
  const uploads = await options.artifacts.dropExpired();
  const trashed = await options.trash.contents(options.signal);
  const candidates: ListedArtifact[] = [];
  const gone = new Set(trashed.keys());
  let [found, restored, removed, bytes] = [0, 0, 0, 0];
  for await (const listed of options.artifacts.list(options.signal)) {
    found += 1;
    gone.delete(listed.sha256);
    const inTrash = trashed.get(listed.sha256);
    if (inTrash === undefined) {
      if (listed.storedAtMs <= limit.getTime() && !(await isReferenced(options.store.db, listed.sha256, limit)))
        candidates.push(listed);
      continue;
    }
    const outcome = await judgeTrashed(options, inTrash, limit);
    if (outcome === "kept") continue;
    trashed.delete(listed.sha256);
    if (outcome === "restored") restored += 1;
    else [removed, bytes] = [removed + 1, bytes + listed.sizeBytes];
  }
  for (const sha256 of gone) {
    await options.trash.takeOut(trashed.get(sha256) as TrashedArtifact);
    trashed.delete(sha256);
  }
  const today = [...trashed.values()].filter((artifact) => artifact.sinceMs > now - dayMs).length;
  const room = Math.max(1, Math.floor(found * options.dailyShare)) - today;
  let added = 0;
  for (const candidate of candidates) {
    if (added >= room) break;
    if (await moveToTrash(options, candidate.sha256, limit)) added += 1;
  }
  return {
    found,
    unreferenced: candidates.length + trashed.size,
    trashed: added,
    postponed: Math.max(0, candidates.length - Math.max(0, room)),
    restored,
    artifacts: removed,
    bytes,
    uploads,
  };
}

async function moveToTrash(options: CollectionOptions, sha256: string, limit: Date): Promise<boolean> {
  return options.store.withTransaction(async (tx) => {
    await lockArtifact(tx, sha256);
    if (await isReferenced(tx, sha256, limit)) return false;
    await options.trash.add({ sha256, sinceMs: options.clock.now() });
    return true;
  });
}

/** Removes what lay in the trash for its time, takes out what is referred to again. */
async function judgeTrashed(
  options: CollectionOptions,
  artifact: TrashedArtifact,
  limit: Date,
): Promise<"kept" | "restored" | "removed"> {
  const isDue = artifact.sinceMs <= options.clock.now() - options.trashMs;
  if (!isDue && !(await isReferenced(options.store.db, artifact.sha256, limit))) return "kept";
  return options.store.withTransaction(async (tx) => {
    await lockArtifact(tx, artifact.sha256);
    const isNeeded = await isReferenced(tx, artifact.sha256, limit);
    if (!isNeeded && !isDue) return "kept";
    if (!isNeeded) {
      await options.artifacts.remove(artifact.sha256);
      await tx.deleteFrom("artifact_hold").where("sha256", "=", Buffer.from(artifact.sha256, "hex")).execute();
    }
    await options.trash.takeOut(artifact);
    return isNeeded ? "restored" : "removed";
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
