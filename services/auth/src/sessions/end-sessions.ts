import { accessTokenLifeMs, clockSkewMs, policyEntryKey } from "@aimass/identity";
import type { PolicyChange, PolicyWriter } from "../policy/policy-change.ts";

/** Which sessions end: one, or those of a principal but one perhaps. */
export type WhichSessions =
  | { readonly sessionId: string }
  | { readonly principal: string; readonly keepSession?: string | undefined };

/** The longest that an access token is accepted after its session has ended, by the slowest clock of the mesh. */
const announcedMs = accessTokenLifeMs + 2 * clockSkewMs;

/**
 * Ends sessions and gives the ids of those that went on: their refresh tokens are refused from now on, their access tokens by every enforcer once it holds this change. One that ran out
 * a moment ago ends too, for the sake of its last access token.
 */
export async function endSessions(change: PolicyChange, now: Date, which: WhichSessions): Promise<string[]> {
  const open = change.tx
    .updateTable("session")
    .set({ ended_at: now, announced: true })
    .where("ended_at", "is", null)
    .where("expires_at", ">", new Date(now.getTime() - announcedMs));
  const chosen =
    "sessionId" in which
      ? open.where("id", "=", which.sessionId)
      : open.where("principal", "=", which.principal).where("id", "!=", which.keepSession ?? "");
  const ended = await chosen.returning(["id", "expires_at"]).execute();
  for (const { id } of ended) change.touch(policyEntryKey.endedSession(id));
  const wentOn = ended.filter(({ expires_at }) => expires_at > now);
  return wentOn.map(({ id }) => id).sort();
}

/** Takes out of the policy the ended sessions of which no access token can be about any more. */
export async function withdrawEndedSessions(writer: PolicyWriter, nowMs: number): Promise<void> {
  const before = new Date(nowMs - announcedMs);
  const due = writer.store.db.selectFrom("session").select("id").where("announced", "=", true);
  if ((await due.where("ended_at", "<", before).limit(1).executeTakeFirst()) === undefined) return;
  await writer.change(async ({ tx, touch }) => {
    const over = tx.updateTable("session").set({ announced: false }).where("announced", "=", true);
    const rows = await over.where("ended_at", "<", before).returning("id").execute();
    for (const { id } of rows) touch(policyEntryKey.endedSession(id));
  });
}
