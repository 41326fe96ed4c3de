import type { Version } from "@aimass/api/registry";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";
import { decodeVersion, type VersionRow } from "../versions/version-body.ts";
import type { AliasRow } from "./models.ts";

/** A model with what may be served of it, or a part of that. */
export interface Servable extends ModelRevision {
  readonly aliases: readonly AliasRow[];
  readonly versions: readonly Version[];
}

interface ModelRevision {
  readonly project: string;
  readonly model: string;
  /** Names the aliases and the READY versions: equal revisions of a model, equal content. */
  readonly revision: string;
}

/** Versions of one part: their signatures are some kilobytes each. */
const partSize = 100;
/** A reader that takes no more of the stream loses it after this time, and the database its open snapshot. */
const stalledMs = 30_000;

/** The whole wanted state, as the scheduler reads it. */
export class Library {
  readonly #store: Store<Database>;

  constructor(store: Store<Database>) {
    this.#store = store;
  }

  /**
   * Every model with a READY version whose revision is not the one in `known`, as of one moment; by project and name, versions ascending, in parts. Returns
   * the names in `known` that have nothing to serve. Memory goes by a part, not by the library.
   */
  async *changes(known: ReadonlyMap<string, string>): AsyncGenerator<Servable, readonly string[]> {
    const tx = await this.#store.db.startTransaction().setIsolationLevel("repeatable read").execute();
    try {
      await sql`set local idle_in_transaction_session_timeout = ${sql.lit(stalledMs)}`.execute(tx);
      const revisions = await readRevisions(tx);
      const gone = new Set(known.keys());
      for (const one of revisions) {
        const key = formatResource(one.project, one.model);
        gone.delete(key);
        if (known.get(key) !== one.revision) yield* partsOf(tx, one);
      }
      return [...gone];
    } finally {
      await tx.rollback().execute();
    }
  }
}

/**
 * Computed from what they name, so that nothing has to be written with every change: versions never change and their numbers never come back, so the READY
 * ones are told apart by number; an alias by where it points since when.
 */
async function readRevisions(tx: Kysely<Database>): Promise<readonly ModelRevision[]> {
  const { rows } = await sql<ModelRevision>`
    select project, model, concat_ws('/', ready.mark, pointing.mark) as revision
    from (
      select project, model, concat_ws('-', count(*), max(version), sum(hashint8extended(version, 0))) as mark
      from version where state = 'READY' group by project, model
    ) as ready
    left join (
      select project, model,
        sum(hashtextextended(concat_ws('/', name, version, moved_by, extract(epoch from moved_at)), 0)) as mark
      from alias group by project, model
    ) as pointing using (project, model)
    order by project, model`.execute(tx);
  return rows;
}

async function* partsOf(tx: Kysely<Database>, one: ModelRevision): AsyncGenerator<Servable> {
  const { project, model } = one;
  const aliases = await tx
    .selectFrom("alias")
    .selectAll()
    .where("project", "=", project)
    .where("model", "=", model)
    .orderBy("name")
    .execute();
  for (let after = "0"; ; ) {
    const rows = await tx
      .selectFrom("version")
      .selectAll()
      .where("project", "=", project)
      .where("model", "=", model)
      .where("state", "=", "READY")
      .where("version", ">", after)
      .orderBy("version")
      .limit(partSize)
      .execute();
    if (rows.length > 0) yield { ...one, aliases, versions: rows.map(withoutLineage) };
    if (rows.length < partSize) return;
    after = rows.at(-1)?.version ?? after;
  }
}

/** Whoever serves has no use for it. */
function withoutLineage(row: VersionRow): Version {
  const { lineage: _, ...body } = row.body;
  return decodeVersion({ ...row, body });
}
