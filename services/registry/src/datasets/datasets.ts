import { DatasetCreatedSchema, DatasetDeletedSchema } from "@aimass/api/events";
import { DatasetFormat, type DatasetVersion, DatasetVersionSchema } from "@aimass/api/registry";
import { AimassError, type Clock } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { Actor } from "../actor.ts";
import type { Database, Transaction } from "../database.ts";
import { datasetNotFound } from "../errors.ts";
import type { Journal } from "../journal.ts";
import { holdProject } from "../projects/projects.ts";
import { completeReadOptions, readAlike } from "./read-options.ts";

/** A dataset by its two names. */
export interface DatasetName {
  readonly project: string;
  readonly dataset: string;
}

/** Bytes, and how they are read. */
export type DatasetContent = Pick<DatasetVersion, "sha256" | "format" | "read">;

/** Datasets: named series of immutable versions. */
export class Datasets {
  readonly #store: Store<Database>;
  readonly #journal: Journal;
  readonly #clock: Clock;

  constructor(options: { store: Store<Database>; journal: Journal; clock: Clock }) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#clock = options.clock;
  }

  /** The newest version when it was made of this artifact, read in this way. */
  async findRepeat(name: DatasetName, content: DatasetContent): Promise<DatasetVersion | undefined> {
    const newest = await findVersion(this.#store.db, name, undefined);
    return newest !== undefined && isRepeat(newest, content) ? newest : undefined;
  }

  /** Adds a version, and the dataset when it is new; when content and read options are those of the newest version, that is returned. */
  add(actor: Actor, name: DatasetName, draft: DatasetVersion): Promise<DatasetVersion> {
    return this.#store.withTransaction(async (tx) => {
      const last = await lockDataset(tx, name);
      const newest = await findVersion(tx, name, undefined);
      if (newest !== undefined && isRepeat(newest, draft)) return newest;
      const version = create(DatasetVersionSchema, {
        ...draft,
        ...name,
        version: last + 1n,
        createdAt: timestampFromMs(this.#clock.now()),
        createdBy: actor.id,
      });
      await insertVersion(tx, version);
      const value = create(DatasetCreatedSchema, { ...name, version: version.version });
      await this.#journal(tx, {
        actor,
        resource: formatResource(name.project, name.dataset),
        audited: true,
        payload: { case: "datasetCreated", value },
      });
      return version;
    });
  }

  /** One version; 0 is the newest. Errors: NOT_FOUND. */
  async get(name: DatasetName, version: bigint): Promise<DatasetVersion> {
    const found = await findVersion(this.#store.db, name, version === 0n ? undefined : version);
    if (found !== undefined) return found;
    if ((await findVersion(this.#store.db, name, undefined)) === undefined) {
      throw datasetNotFound(name.project, name.dataset);
    }
    throw noVersion(name, version);
  }

  /** Versions of one dataset, newest first, before a number. */
  async versions(name: DatasetName, before: string | undefined, limit: number): Promise<readonly DatasetVersion[]> {
    const rows = await this.#store.db
      .selectFrom("dataset_version")
      .select("body")
      .where("project", "=", name.project)
      .where("dataset", "=", name.dataset)
      .$if(before !== undefined, (query) => query.where("version", "<", before ?? ""))
      .orderBy("version", "desc")
      .limit(limit)
      .execute();
    return rows.map((row) => fromJson(DatasetVersionSchema, row.body, { ignoreUnknownFields: true }));
  }

  /**
   * Removes a version, or all of them for 0n; the dataset's row keeps which number comes next. With `validateOnly` it only says which would be removed.
   * Returns their numbers. Errors: NOT_FOUND.
   */
  remove(
    actor: Actor,
    name: DatasetName,
    { version, validateOnly }: { version: bigint; validateOnly: boolean },
  ): Promise<readonly bigint[]> {
    return this.#store.withTransaction(async (tx) => {
      await lockExisting(tx, name);
      const rows = await tx
        .selectFrom("dataset_version")
        .select("version")
        .where("project", "=", name.project)
        .where("dataset", "=", name.dataset)
        .orderBy("version")
        .execute();
      const there = rows.map((row) => BigInt(row.version));
      if (there.length === 0) throw datasetNotFound(name.project, name.dataset);
      if (version !== 0n && !there.includes(version)) throw noVersion(name, version);
      const removed = version === 0n ? there : [version];
      if (validateOnly) return removed;
      await tx
        .deleteFrom("dataset_version")
        .where("project", "=", name.project)
        .where("dataset", "=", name.dataset)
        .where("version", "in", removed.map(String))
        .execute();
      // The last version takes the dataset along, so that nothing of a name stays that has nothing.
      const value = create(DatasetDeletedSchema, { ...name, version: removed.length === there.length ? 0n : version });
      await this.#journal(tx, {
        actor,
        resource: formatResource(name.project, name.dataset),
        audited: true,
        payload: { case: "datasetDeleted", value },
      });
      return removed;
    });
  }

  /** The newest version of each dataset, by project and name, after one. */
  async list(
    project: string | undefined,
    after: readonly string[] | undefined,
    limit: number,
  ): Promise<readonly DatasetVersion[]> {
    const rows = await this.#store.db
      .selectFrom("dataset_version")
      .select("body")
      .distinctOn(["project", "dataset"])
      .$if(project !== undefined, (query) => query.where("project", "=", project ?? ""))
      .$if(after !== undefined, (query) =>
        query.where(sql<boolean>`(project, dataset) > (${after?.[0]}, ${after?.[1]})`),
      )
      .orderBy("project")
      .orderBy("dataset")
      .orderBy("version", "desc")
      .limit(limit)
      .execute();
    return rows.map((row) => fromJson(DatasetVersionSchema, row.body, { ignoreUnknownFields: true }));
  }
}

/** An unspecified format is whatever the version's is. Versions that keep no read options were made before there were any, and are never repeated. */
function isRepeat(version: DatasetVersion, { sha256, format, read }: DatasetContent): boolean {
  if (version.read === undefined || !Buffer.from(version.sha256).equals(sha256)) return false;
  if (format !== DatasetFormat.UNSPECIFIED && format !== version.format) return false;
  return readAlike(version.read, completeReadOptions(read, version.format));
}

function noVersion(name: DatasetName, version: bigint): AimassError {
  const message = `Dataset "${formatResource(name.project, name.dataset)}" has no version ${version}.`;
  return new AimassError("NOT_FOUND", message, { field: "version" });
}

/** Takes a dataset that is there for the rest of the transaction. */
async function lockExisting(tx: Transaction, name: DatasetName): Promise<void> {
  await tx
    .selectFrom("dataset")
    .select("name")
    .where("project", "=", name.project)
    .where("name", "=", name.dataset)
    .forUpdate()
    .execute();
}

/** Takes the dataset for the rest of the transaction, making it when new; its last version. */
async function lockDataset(tx: Transaction, name: DatasetName): Promise<bigint> {
  await holdProject(tx, name.project);
  const row = await tx
    .insertInto("dataset")
    .values({ project: name.project, name: name.dataset })
    .onConflict((conflict) => conflict.columns(["project", "name"]).doUpdateSet({ name: name.dataset }))
    .returning("last_version")
    .executeTakeFirstOrThrow();
  return BigInt(row.last_version);
}

async function insertVersion(tx: Transaction, version: DatasetVersion): Promise<void> {
  const { project, dataset } = version;
  await tx
    .updateTable("dataset")
    .set({ last_version: String(version.version) })
    .where("project", "=", project)
    .where("name", "=", dataset)
    .execute();
  await tx
    .insertInto("dataset_version")
    .values({
      project,
      dataset,
      version: String(version.version),
      sha256: Buffer.from(version.sha256),
      body: JSON.stringify(toJson(DatasetVersionSchema, version)),
    })
    .execute();
}

async function findVersion(
  db: Pick<Transaction, "selectFrom">,
  name: DatasetName,
  version: bigint | undefined,
): Promise<DatasetVersion | undefined> {
  const row = await db
    .selectFrom("dataset_version")
    .select("body")
    .where("project", "=", name.project)
    .where("dataset", "=", name.dataset)
    .$if(version !== undefined, (query) => query.where("version", "=", String(version)))
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : fromJson(DatasetVersionSchema, row.body, { ignoreUnknownFields: true });
}
