import { type ArtifactStore, artifactNotFound } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database, Transaction } from "../database.ts";
import type { Reader } from "../reader.ts";

/**
 * Who may read which artifact: whoever may read something that refers to it, and whoever brought its bytes. Knowing a digest is not enough: a stranger who
 * names the digest of a hidden artifact is treated as if it were not here, and becomes its reader by uploading the very same bytes.
 */
export class ArtifactAccess {
  readonly #store: Store<Database>;
  readonly #artifacts: ArtifactStore;
  readonly #clock: Clock;

  constructor(options: { store: Store<Database>; artifacts: ArtifactStore; clock: Clock }) {
    this.#store = options.store;
    this.#artifacts = options.artifacts;
    this.#clock = options.clock;
  }

  /** Whether this reader may read the artifact; says nothing of whether it is here. */
  async mayRead(reader: Reader, sha256: string): Promise<boolean> {
    if (reader.isService) return reader.may("artifact.read", "*");
    const digest = Buffer.from(sha256, "hex");
    const held = await this.#store.db
      .selectFrom("artifact_hold")
      .select("principal")
      .where("sha256", "=", digest)
      .where("principal", "=", reader.principal)
      .executeTakeFirst();
    if (held !== undefined) return true;
    return (await this.#mayReadModel(reader, digest)) || (await this.#mayReadDataset(reader, digest));
  }

  /** Whether this reader may read the artifact, and it is here. */
  async find(reader: Reader, sha256: string): Promise<{ sizeBytes: number } | undefined> {
    const found = await this.#artifacts.has(sha256);
    return found !== undefined && (await this.mayRead(reader, sha256)) ? found : undefined;
  }

  /** Writes down that the reader brought an artifact, or is about to refer to it: garbage collection leaves it for the whole grace from now on. */
  async note(principal: string, sha256: string): Promise<boolean> {
    return this.#store.withTransaction((tx) => this.#note(tx, principal, sha256));
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

  /** False when the artifact is not here. */
  async #note(tx: Transaction, principal: string, sha256: string): Promise<boolean> {
    await lockArtifact(tx, sha256);
    if ((await this.#artifacts.has(sha256)) === undefined) return false;
    const row = { sha256: Buffer.from(sha256, "hex"), principal, held_at: new Date(this.#clock.now()) };
    await tx
      .insertInto("artifact_hold")
      .values(row)
      .onConflict((conflict) => conflict.columns(["sha256", "principal"]).doUpdateSet({ held_at: row.held_at }))
      .execute();
    return true;
  }

  async #mayReadModel(reader: Reader, digest: Buffer): Promise<boolean> {
    const { db } = this.#store;
    const code = db.selectFrom("version_code").select(["project", "model"]).where("sha256", "=", digest);
    const rows = await db
      .selectFrom("version_file")
      .select(["project", "model"])
      .where("sha256", "=", digest)
      .union(code)
      .execute();
    return rows.some((row) => reader.may("artifact.read", formatResource(row.project, row.model)));
  }

  async #mayReadDataset(reader: Reader, digest: Buffer): Promise<boolean> {
    const rows = await this.#store.db
      .selectFrom("dataset_version")
      .select("project")
      .distinct()
      .where("sha256", "=", digest)
      .execute();
    return rows.some((row) => reader.may("dataset.read", row.project));
  }
}

/** Takes an artifact for the rest of the transaction: who is about to refer to it and who is about to collect it take turns. */
export async function lockArtifact(tx: Transaction, sha256: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`registry.artifact.${sha256}`}, 0))`.execute(tx);
}
