import { policyEntryKey } from "@aimass/identity";
import type { Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { PolicyChange } from "../policy/policy-change.ts";

/** Revokes every key of a principal. Returns their ids. */
export async function revokeKeys(
  { tx, touch }: PolicyChange,
  principal: string,
  { events, cause, now }: { events: AuthEvents; cause: Cause; now: Date },
): Promise<string[]> {
  const keys = tx.updateTable("api_key").set({ revoked_at: now }).where("principal", "=", principal);
  const revoked = await keys.where("revoked_at", "is", null).returning("id").execute();
  for (const { id } of revoked) {
    touch(policyEntryKey.apiKey(id));
    await events.apiKey(tx, cause, { keyId: id, principal, change: "deleted" });
  }
  return revoked.map(({ id }) => id).sort();
}
