import type { Version } from "@aimass/api/registry";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import type { Database } from "../database.ts";
import { decodeVersion, type VersionRow } from "../versions/version-body.ts";
import type { AliasRow } from "./models.ts";

/** A model with what may be served of it. */
export interface Servable {
  readonly project: string;
  readonly name: string;
  readonly aliases: readonly AliasRow[];
  readonly versions: readonly Version[];
}

/** The whole wanted state, as the scheduler reads it. */
export class Library {
  readonly #store: Store<Database>;

  constructor(store: Store<Database>) {
    this.#store = store;
  }

  /** Every model with a READY version, and its aliases, as of one moment; by project and name, versions ascending. */
  servable(): Promise<readonly Servable[]> {
    return this.#store.withTransaction(
      async (tx) => {
        const versions = await tx
          .selectFrom("version")
          .selectAll()
          .where("state", "=", "READY")
          .orderBy("project")
          .orderBy("model")
          .orderBy("version")
          .execute();
        const aliases = await tx.selectFrom("alias").selectAll().orderBy("name").execute();
        const aliasesOf = Map.groupBy(aliases, (row) => formatResource(row.project, row.model));
        const versionsOf = Map.groupBy(versions, (row) => formatResource(row.project, row.model));
        return [...versionsOf].map(([key, rows]) => ({
          project: rows[0]?.project ?? "",
          name: rows[0]?.model ?? "",
          aliases: aliasesOf.get(key) ?? [],
          versions: rows.map(withoutLineage),
        }));
      },
      { isolation: "repeatable read" },
    );
  }
}

/** Whoever serves has no use for it, and all lineages together do not fit into a message. */
function withoutLineage(row: VersionRow): Version {
  const version = decodeVersion(row);
  delete version.lineage;
  return version;
}
