import type { PolicyEntry } from "@aimass/api/auth";
import { sql } from "kysely";
import type { AuthStore, AuthTransaction } from "../database.ts";
import { policyChannel } from "./policy-change.ts";
import { readPolicyFacts } from "./policy-facts.ts";

/** Which state is held already. */
export interface Held {
  readonly epoch: string;
  readonly version: bigint;
}

/** What the database says, as of one version. */
export type PolicyReading =
  | { readonly kind: "full"; readonly epoch: string; readonly version: bigint; readonly entries: PolicyEntry[] }
  | {
      readonly kind: "changes";
      readonly epoch: string;
      readonly version: bigint;
      /** The keys that changed since the held version; those without an entry were removed. */
      readonly keys: readonly string[];
      readonly entries: PolicyEntry[];
    };

/**
 * Reads what changed since `held`, or everything when that cannot be continued. One repeatable-read transaction, and every change holds the version row
 * to its end, so the answer is exactly the state of the version it names, in every process.
 */
export async function readPolicy(store: AuthStore, held: Held | undefined): Promise<PolicyReading> {
  return await store.withTransaction(
    async (tx) => {
      const state = await tx.selectFrom("policy_state").selectAll().executeTakeFirstOrThrow();
      const [epoch, version] = [state.epoch, BigInt(state.version)];
      if (held?.epoch !== epoch || held.version > version || !(await reachesBack(tx, held.version, version))) {
        return { kind: "full", epoch, version, entries: await readPolicyFacts(tx) } as const;
      }
      const keys = await changedKeys(tx, held.version);
      const entries = keys.length === 0 ? [] : await readPolicyFacts(tx, keys);
      return { kind: "changes", epoch, version, keys, entries } as const;
    },
    { isolation: "repeatable read" },
  );
}

/** Begins a new epoch: the history that `held` has seen is not the one in the database (a restored backup). */
export async function beginEpoch(store: AuthStore, held: Held): Promise<void> {
  await store.withTransaction(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable("policy_state")
      .set({ epoch: sql<string>`gen_random_uuid()::text` })
      .where("epoch", "=", held.epoch)
      .where("version", "<", held.version.toString())
      .executeTakeFirst();
    if (numUpdatedRows > 0n) await store.notify(tx, policyChannel, "epoch");
  });
}

/** Forgets changes that are older than the last 10 000 versions; who holds an older state gets everything. */
export async function trimChanges(store: AuthStore): Promise<void> {
  await sql`delete from policy_change where version < (select version from policy_state) - 10000`.execute(store.db);
}

async function reachesBack(tx: AuthTransaction, since: bigint, version: bigint): Promise<boolean> {
  if (since === version) return true;
  const next = (since + 1n).toString();
  const row = await tx
    .selectFrom("policy_change")
    .select("key")
    .where("version", "=", next)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function changedKeys(tx: AuthTransaction, since: bigint): Promise<string[]> {
  const rows = await tx
    .selectFrom("policy_change")
    .select("key")
    .distinct()
    .where("version", ">", since.toString())
    .execute();
  return rows.map((row) => row.key);
}
