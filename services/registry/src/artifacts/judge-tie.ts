/** What is known of a database and an artifact storage, to tell whether they belong together. */
export interface TieFacts {
  /** The installation of the database; undefined before its first start with an id. */
  readonly databaseId: string | undefined;
  /** Whom the storage says it belongs to; undefined when it says nothing. */
  readonly ownerId: string | undefined;
  readonly isStorageEmpty: boolean;
  /** Whether the database names artifacts, and whether the storage has any of those it names. */
  readonly references: "none" | "found" | "missing";
  /** What the operator said with AIMASS_ADOPT_ARTIFACTS: the id of the storage's owner, or "unowned". */
  readonly adopt: string | undefined;
}

/** Whether a database and a storage belong together, may be brought together by writing the owner down, or are left alone. */
export type TieVerdict =
  | { readonly kind: "tied" }
  | { readonly kind: "claim" }
  | { readonly kind: "untied"; readonly problem: string };

/**
 * "Nothing refers to it" means that nobody needs an artifact only where the database is the one that names the storage's artifacts. Silently brought together are
 * an empty storage with a database that names nothing, and, from before installations had ids, a database that names what the storage holds.
 */
export function judgeTie(facts: TieFacts): TieVerdict {
  const { databaseId, ownerId } = facts;
  if (ownerId !== undefined && ownerId === databaseId) return { kind: "tied" };
  if (facts.adopt !== undefined && facts.adopt === (ownerId ?? "unowned")) return { kind: "claim" };
  if (ownerId !== undefined) {
    const own = databaseId === undefined ? "this database belongs to none yet" : `this database to ${databaseId}`;
    return { kind: "untied", problem: `The artifact storage belongs to the installation ${ownerId}, ${own}.` };
  }
  if (facts.isStorageEmpty) {
    if (facts.references === "none") return { kind: "claim" };
    return { kind: "untied", problem: "The artifact storage is empty, while this database names artifacts." };
  }
  if (databaseId === undefined && facts.references === "found") return { kind: "claim" };
  return { kind: "untied", problem: "The artifact storage holds artifacts and does not say whose they are." };
}

/** What the operator can do about a storage and a database that do not belong together. */
export function tieRemedy(ownerId: string | undefined): string {
  return (
    "Check AIMASS_DATABASE_URL and AIMASS_ARTIFACTS. When these two are to go on together, start the registry once with " +
    `AIMASS_ADOPT_ARTIFACTS=${ownerId ?? "unowned"}; what this database does not name is then collected in time.`
  );
}
