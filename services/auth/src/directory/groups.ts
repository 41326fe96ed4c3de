import { createHash } from "node:crypto";
import { AimassError } from "@aimass/core";
import { policyEntryKey } from "@aimass/identity";
import { tellGrant } from "../access/grants.ts";
import type { AuthTransaction, Cause } from "../database.ts";
import type { Page } from "../page.ts";
import type { Changed } from "../policy/policy-change.ts";
import { assertName, type DirectoryOptions } from "./users.ts";

/** A group with its members, sorted. */
export interface GroupWithMembers {
  readonly name: string;
  readonly members: readonly string[];
}

/** What goes with a group. */
export interface GroupRemoval {
  readonly members: readonly string[];
  readonly grants: number;
}

/** Tells one set of members from another. */
export function groupEtag(members: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(members.toSorted())).digest("base64url").slice(0, 16);
}

/** Named sets of principals. */
export class Groups {
  readonly #o: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#o = options;
  }

  /**
   * Adds a group or replaces its members. Throws NOT_FOUND for a member that does not exist; ABORTED for another etag than the group's, unless empty, and where
   * a group that is to be made is there with other members.
   */
  async put(
    group: GroupWithMembers & { readonly etag: string; readonly createOnly: boolean },
    cause: Cause,
  ): Promise<Changed<GroupWithMembers>> {
    assertName(group.name, "group.name");
    const members = [...new Set(group.members)].sort();
    return await this.#o.writer.change(async ({ tx, touch }) => {
      await assertMembersExist(tx, members);
      const { numInsertedOrUpdatedRows: made } = await tx
        .insertInto("principal_group")
        .values({ name: group.name })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      const before = await membersOf(tx, group.name);
      const created = made === 1n;
      if (group.etag !== "" && (created || group.etag !== groupEtag(before))) throw changedMeanwhile(group.name);
      if (!created && before.join() === members.join()) return { name: group.name, members };
      if (!created && group.createOnly) throw changedMeanwhile(group.name);
      await tx.deleteFrom("group_member").where("group_name", "=", group.name).execute();
      const rows = members.map((member) => ({ group_name: group.name, member }));
      if (rows.length > 0) await tx.insertInto("group_member").values(rows).execute();
      for (const member of new Set([...before, ...members])) {
        if (before.includes(member) !== members.includes(member)) touch(policyEntryKey.principal(member));
      }
      await this.#o.events.principal(tx, cause, {
        principal: `group:${group.name}`,
        change: created ? "created" : "updated",
        detail: `members: ${members.join(", ") || "none"}`,
      });
      return { name: group.name, members };
    });
  }

  /** What would go with a group. */
  async foresee(name: string): Promise<GroupRemoval> {
    const { db } = this.#o.writer.store;
    const grants = await db.selectFrom("access_grant").select("id").where("subject", "=", `group:${name}`).execute();
    return { members: await membersOf(db, name), grants: grants.length };
  }

  /** Removes a group and the grants given to it. A group that is gone already is fine. */
  async delete(name: string, cause: Cause): Promise<Changed<GroupRemoval>> {
    return await this.#o.writer.change(async ({ tx, touch }) => {
      const members = await membersOf(tx, name);
      const gone = await tx.deleteFrom("principal_group").where("name", "=", name).executeTakeFirst();
      if (gone.numDeletedRows === 0n) return { members: [], grants: 0 };
      for (const member of members) touch(policyEntryKey.principal(member));
      const subject = `group:${name}`;
      const grants = await tx.deleteFrom("access_grant").where("subject", "=", subject).returningAll().execute();
      for (const grant of grants) {
        touch(policyEntryKey.grant(grant.id));
        await tellGrant(this.#o.events, tx, cause, grant, "deleted");
      }
      await this.#o.events.principal(tx, cause, { principal: subject, change: "deleted", detail: "" });
      return { members, grants: grants.length };
    });
  }

  /** One more than the page holds, by name. */
  async list(page: Page): Promise<GroupWithMembers[]> {
    const { db } = this.#o.writer.store;
    let query = db
      .selectFrom("principal_group")
      .select("name")
      .orderBy("name")
      .limit(page.size + 1);
    if (page.after !== undefined) query = query.where("name", ">", page.after);
    const names = (await query.execute()).map((row) => row.name);
    if (names.length === 0) return [];
    const rows = await db
      .selectFrom("group_member")
      .selectAll()
      .where("group_name", "in", names)
      .orderBy("member")
      .execute();
    return names.map((name) => ({
      name,
      members: rows.filter((row) => row.group_name === name).map((row) => row.member),
    }));
  }
}

function changedMeanwhile(group: string): AimassError {
  return new AimassError("ABORTED", `The group ${group} is not as it was read.`, {
    reason: "ETAG_MISMATCH",
    field: "group.etag",
    remedy: "Read it again and repeat the change on what it is now.",
  });
}

async function membersOf(tx: Pick<AuthTransaction, "selectFrom">, group: string): Promise<string[]> {
  const rows = await tx.selectFrom("group_member").select("member").where("group_name", "=", group).execute();
  return rows.map((row) => row.member).sort();
}

async function assertMembersExist(tx: AuthTransaction, members: readonly string[]): Promise<void> {
  if (members.length === 0) return;
  const rows = await tx.selectFrom("principal").select("id").where("id", "in", members).execute();
  const known = new Set(rows.map((row) => row.id));
  const missing = members.find((member) => !known.has(member));
  if (missing === undefined) return;
  throw new AimassError("NOT_FOUND", `There is no "${missing.slice(0, 100)}".`, {
    field: "group.members",
    remedy: 'Members look like "user:ada" or "service-account:ci".',
  });
}
