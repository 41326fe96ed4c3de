import { policyEntryKey } from "@aimass/identity";
import { sql } from "kysely";
import { tellGrant } from "../access/grants.ts";
import type { AuthTransaction, Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { PolicyChange } from "../policy/policy-change.ts";
import { revokeKeys } from "./revoke-keys.ts";

/** What a principal has in the directory. */
export interface Holdings {
  readonly groups: readonly string[];
  readonly grants: number;
  readonly keyIds: readonly string[];
  readonly sessions: number;
}

/** Counts what goes with a principal. */
export async function holdingsOf(tx: AuthTransaction, principal: string, now: Date): Promise<Holdings> {
  const memberships = tx.selectFrom("group_member").select("group_name").where("member", "=", principal);
  const grants = tx.selectFrom("access_grant").select("id").where("subject", "=", principal);
  const keys = tx.selectFrom("api_key").select("id").where("principal", "=", principal).where("revoked_at", "is", null);
  const sessions = tx.selectFrom("session").select("id").where("principal", "=", principal);
  const open = sessions.where("ended_at", "is", null).where("expires_at", ">", now);
  return {
    groups: (await memberships.orderBy("group_name").execute()).map((row) => row.group_name),
    grants: (await grants.execute()).length,
    keyIds: (await keys.orderBy("id").execute()).map(({ id }) => id),
    sessions: (await open.execute()).length,
  };
}

/**
 * Removes a principal with all it holds, each part told to the ledger. Its tokens are refused because nobody of that name is there; should one be again, because
 * its generation begins above theirs.
 */
export async function removePrincipal(
  change: PolicyChange,
  principal: string,
  { events, cause, now }: { events: AuthEvents; cause: Cause; now: Date },
): Promise<void> {
  const { tx, touch } = change;
  await revokeKeys(change, principal, { events, cause, now });
  await tx.deleteFrom("api_key").where("principal", "=", principal).execute();
  const grants = await tx.deleteFrom("access_grant").where("subject", "=", principal).returningAll().execute();
  for (const grant of grants) {
    touch(policyEntryKey.grant(grant.id));
    await tellGrant(events, tx, cause, grant, "deleted");
  }
  await tx.deleteFrom("group_member").where("member", "=", principal).execute();
  const sessions = tx.deleteFrom("session").where("principal", "=", principal).returning(["id", "announced"]);
  for (const { id, announced } of await sessions.execute()) if (announced) touch(policyEntryKey.endedSession(id));
  const gone = await tx
    .deleteFrom("principal")
    .where("id", "=", principal)
    .returning(["id", "token_generation"])
    .executeTakeFirstOrThrow();
  await tx
    .insertInto("former_principal")
    .values(gone)
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ token_generation: gone.token_generation }))
    .execute();
  touch(policyEntryKey.principal(principal));
  await events.principal(tx, cause, { principal, change: "deleted", detail: "" });
}

/** The first generation of the tokens of a principal that is made: above those of one that had its name before. */
export async function firstGeneration(tx: AuthTransaction, principal: string): Promise<string> {
  const former = tx.selectFrom("former_principal").select(sql<string>`token_generation + 1`.as("next"));
  return (await former.where("id", "=", principal).executeTakeFirst())?.next ?? "0";
}
