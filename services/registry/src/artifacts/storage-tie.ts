import { randomUUID } from "node:crypto";
import type { ArtifactStore, RecordStore } from "@aimass/artifacts";
import { AimassError } from "@aimass/core";
import type { Store } from "@aimass/store";
import type { Logger } from "@aimass/telemetry";
import { sql } from "kysely";
import type { Database, Transaction } from "../database.ts";
import { judgeTie, tieRemedy } from "./judge-tie.ts";

/** The record, beside the artifacts, that says whose they are. */
export const ownerRecord = "owner.json";

/** How the database and the artifact storage stand to each other. */
export type Tie =
  | { readonly kind: "tied"; readonly installation: string }
  | { readonly kind: "untied"; readonly problem: string; readonly remedy: string }
  /** The storage did not answer yet. */
  | { readonly kind: "unknown" };

/** References looked up in the storage before it counts as having none of them. */
const triedReferences = 50;

/**
 * Ties an installation's database to its artifact storage by an id that both carry. Without the tie nothing is collected and nothing is uploaded: what this database
 * does not name may be another's, and what is written here another would collect.
 */
export class StorageTie {
  readonly #store: Store<Database>;
  readonly #artifacts: ArtifactStore;
  readonly #root: RecordStore;
  readonly #adopt: string | undefined;
  readonly #log: Logger;
  #tie: Tie = { kind: "unknown" };

  constructor(options: {
    store: Store<Database>;
    artifacts: ArtifactStore;
    /** Records at the storage's own place. */
    root: RecordStore;
    adopt: string | undefined;
    log: Logger;
  }) {
    this.#store = options.store;
    this.#artifacts = options.artifacts;
    this.#root = options.root;
    this.#adopt = options.adopt;
    this.#log = options.log;
  }

  /** As it was found last. */
  get current(): Tie {
    return this.#tie;
  }

  /** What is wrong, in a sentence with its remedy; undefined when nothing is known to be. */
  get warning(): string | undefined {
    return this.#tie.kind === "untied" ? `${this.#tie.problem} ${this.#tie.remedy}` : undefined;
  }

  /** Throws FAILED_PRECONDITION when artifacts written here would be nobody's, or another's. */
  assertUploadable(): void {
    if (this.#tie.kind !== "untied") return;
    throw new AimassError("FAILED_PRECONDITION", this.#tie.problem, {
      reason: "ARTIFACTS_UNTIED",
      remedy: this.#tie.remedy,
    });
  }

  /** Looks again, brings together what may be, and says loudly when it may not. Throws what the database or the storage throws. */
  async verify(): Promise<Tie> {
    this.#tie = await this.#store.withTransaction((tx) => this.#judge(tx));
    if (this.#tie.kind === "untied") {
      this.#log.error("the artifacts do not belong to this database: nothing is collected, nothing can be uploaded", {
        problem: this.#tie.problem,
        remedy: this.#tie.remedy,
      });
    }
    return this.#tie;
  }

  async #judge(tx: Transaction): Promise<Tie> {
    await sql`select pg_advisory_xact_lock(hashtextextended('registry.installation', 0))`.execute(tx);
    const row = await tx.selectFrom("installation").select("id").executeTakeFirst();
    const ownerId = await this.#ownerId();
    const verdict = judgeTie({
      databaseId: row?.id,
      ownerId,
      isStorageEmpty: await this.#isEmpty(),
      references: await this.#references(tx),
      adopt: this.#adopt,
    });
    if (verdict.kind === "untied") return { ...verdict, remedy: tieRemedy(ownerId) };
    const installation = row?.id ?? randomUUID();
    if (row === undefined) await tx.insertInto("installation").values({ id: installation }).execute();
    if (verdict.kind === "claim") {
      await this.#root.put(ownerRecord, Buffer.from(`${JSON.stringify({ installation })}\n`));
      this.#log.info("the artifact storage belongs to this installation from now on", {
        installation,
        before: ownerId,
      });
    }
    return { kind: "tied", installation };
  }

  async #ownerId(): Promise<string | undefined> {
    const bytes = await this.#root.get(ownerRecord);
    if (bytes === undefined) return undefined;
    try {
      const { installation } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { installation?: unknown };
      if (typeof installation === "string" && installation !== "") return installation;
    } catch {
      // As good as any other text that names nobody we know.
    }
    return "unreadable";
  }

  async #isEmpty(): Promise<boolean> {
    for await (const _artifact of this.#artifacts.list()) return false;
    return true;
  }

  async #references(tx: Transaction): Promise<"none" | "found" | "missing"> {
    const digests = await tx
      .selectFrom("version_file")
      .select("sha256")
      .union(tx.selectFrom("dataset_version").select("sha256"))
      .union(tx.selectFrom("artifact_hold").select("sha256"))
      .limit(triedReferences)
      .execute();
    for (const { sha256 } of digests) {
      if ((await this.#artifacts.has(sha256.toString("hex"))) !== undefined) return "found";
    }
    return digests.length === 0 ? "none" : "missing";
  }
}
