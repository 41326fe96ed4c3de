import { type ArtifactStore, artifactNotFound } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database, Transaction } from "../database.ts";
import type { Reader } from "../reader.ts";

/**
 * Who may read which artifact: whoever may read something that refers to it, and for a while whoever brought its bytes to a project and may still do so. Knowing
 * a digest is not enough: a stranger who names the digest of a hidden artifact is treated as if it were not here, and becomes its reader by uploading the very
 * same bytes. A hold keeps an artifact from collection and lets nobody read it.
 */
export class ArtifactAccess {
  readonly #store: Store<Database>;
  readonly #artifacts: ArtifactStore;
  readonly #clock: Clock;
  readonly #uploaderMs: number;

  /** `uploaderMs`: how long after an upload its bytes may be read without anything that refers to them. */
  constructor(options: { store: Store<Database>; artifacts: ArtifactStore; clock: Clock; uploaderMs: number }) {
    this.#store = options.store;
    this.#artifacts = options.artifacts;
    this.#clock = options.clock;
    this.#uploaderMs = options.uploaderMs;
  }

  /** Whether this reader may read the artifact; says nothing of whether it is here. */
  async mayRead(reader: Reader, sha256: string): Promise<boolean> {
    return (await this.#readableBy(reader, sha256)) !== undefined;
  }

  /** Whether this reader may read the artifact, and it is here. */
  async find(reader: Reader, sha256: string): Promise<{ sizeBytes: number } | undefined> {
    const { here, readableBy } = await this.look(reader, sha256);
    return readableBy === undefined ? undefined : here;
  }

  /** Whether it is here, and what lets this reader read it: a model, a dataset, or the project it was uploaded to. */
  async look(
    reader: Reader,
    sha256: string,
  ): Promise<{ here: { sizeBytes: number } | undefined; readableBy: string | undefined }> {
    const here = await this.#artifacts.has(sha256);
    // Asked whether or not it is here, so that both take the same time.
    return { here, readableBy: await this.#readableBy(reader, sha256) };
  }

  /** Writes down that somebody is about to refer to an artifact: garbage collection leaves it for the whole grace from now on. False when it is not here. */
  async note(principal: string, sha256: string): Promise<boolean> {
    return this.#store.withTransaction((tx) => this.#note(tx, principal, sha256));
  }

  /** Writes down that somebody brought all bytes of an artifact to a project. */
  async noteUpload(principal: string, sha256: string, project: string): Promise<boolean> {
    return this.#store.withTransaction((tx) => this.#note(tx, principal, sha256, project));
  }

  /**
   * Makes sure that the artifacts are here, readable for the reader and kept; their sizes by digest.
   * Errors: NOT_FOUND with the first that is not.
   */
  async hold(reader: Reader, digests: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const sha256 of new Set(digests)) {
      const kept = (await this.mayRead(reader, sha256)) && (await this.note(reader.principal, sha256));
      const found = kept ? await this.#artifacts.has(sha256) : undefined;
      if (found === undefined) throw artifactNotFound(sha256);
      sizes.set(sha256, found.sizeBytes);
    }
    return sizes;
  }

  async #readableBy(reader: Reader, sha256: string): Promise<string | undefined> {
    if (reader.isService) return reader.may("artifact.read", "*") ? "*" : undefined;
    const digest = Buffer.from(sha256, "hex");
    const named = (await this.#readableModel(reader, digest)) ?? (await this.#readableDataset(reader, digest));
    return named ?? (await this.#uploadedTo(reader, digest));
  }

  /** False when the artifact is not here. */
  async #note(tx: Transaction, principal: string, sha256: string, uploadedTo?: string): Promise<boolean> {
    await lockArtifact(tx, sha256);
    if ((await this.#artifacts.has(sha256)) === undefined) return false;
    const now = new Date(this.#clock.now());
    const upload = uploadedTo === undefined ? {} : { uploaded_project: uploadedTo, uploaded_at: now };
    await tx
      .insertInto("artifact_hold")
      .values({ sha256: Buffer.from(sha256, "hex"), principal, held_at: now, ...upload })
      .onConflict((conflict) => conflict.columns(["sha256", "principal"]).doUpdateSet({ held_at: now, ...upload }))
      .execute();
    return true;
  }

  async #uploadedTo(reader: Reader, digest: Buffer): Promise<string | undefined> {
    const upload = await this.#store.db
      .selectFrom("artifact_hold")
      .select("uploaded_project")
      .where("sha256", "=", digest)
      .where("principal", "=", reader.principal)
      .where("uploaded_at", ">", new Date(this.#clock.now() - this.#uploaderMs))
      .executeTakeFirst();
    const project = upload?.uploaded_project ?? undefined;
    return project !== undefined && reader.mayUpload(project) ? project : undefined;
  }

  async #readableModel(reader: Reader, digest: Buffer): Promise<string | undefined> {
    const { db } = this.#store;
    const code = db.selectFrom("version_code").select(["project", "model"]).where("sha256", "=", digest);
    const rows = await db
      .selectFrom("version_file")
      .select(["project", "model"])
      .where("sha256", "=", digest)
      .union(code)
      .execute();
    const names = rows.map((row) => formatResource(row.project, row.model));
    return names.find((name) => reader.may("artifact.read", name));
  }

  async #readableDataset(reader: Reader, digest: Buffer): Promise<string | undefined> {
    const rows = await this.#store.db
      .selectFrom("dataset_version")
      .select(["project", "dataset"])
      .distinct()
      .where("sha256", "=", digest)
      .execute();
    const names = rows.map((row) => formatResource(row.project, row.dataset));
    return names.find((name) => reader.may("dataset.read", name));
  }
}

/** Takes an artifact for the rest of the transaction: who is about to refer to it and who is about to collect it take turns. */
export async function lockArtifact(tx: Transaction, sha256: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`registry.artifact.${sha256}`}, 0))`.execute(tx);
}
