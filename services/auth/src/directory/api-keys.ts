import { Effect } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { createApiKey, policyEntryKey } from "@aimass/identity";
import { type Selectable, sql } from "kysely";
import type { AuthDatabase, Cause } from "../database.ts";
import type { Page } from "../page.ts";
import type { Changed, PolicyChange } from "../policy/policy-change.ts";
import { revokeKeys } from "./revoke-keys.ts";
import type { DirectoryOptions } from "./users.ts";

export type ApiKeyRow = Selectable<AuthDatabase["api_key"]>;

const mostKeys = 100;

/** Whose keys are listed; undefined: whosever. */
export interface WhoseKeys {
  readonly principal: string | undefined;
  /** Those to whom something is granted in it. */
  readonly project: string | undefined;
}

/** Long-lived credentials. Who may do what with them is decided by the caller. */
export class ApiKeys {
  readonly #o: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#o = options;
  }

  /** Makes a key; `text` is shown once. Throws NOT_FOUND for an unknown principal, RESOURCE_EXHAUSTED over 100 keys in use. */
  async create(
    request: { principal: string; description: string; expiresAt: Date | null },
    cause: Cause,
  ): Promise<Changed<{ row: ApiKeyRow; text: string }>> {
    const now = new Date(this.#o.clock.now());
    if (request.expiresAt !== null && request.expiresAt <= now) {
      throw new AimassError("INVALID_ARGUMENT", "The key would have expired already.", { field: "expires_at" });
    }
    return await this.#o.writer.change(async ({ tx, touch }) => {
      const principal = tx.selectFrom("principal").select("id").where("id", "=", request.principal);
      if ((await principal.executeTakeFirst()) === undefined) {
        const message = `There is no "${request.principal.slice(0, 100)}".`;
        throw new AimassError("NOT_FOUND", message, { field: "principal" });
      }
      const inUse = await tx
        .selectFrom("api_key")
        .select(sql<number>`count(*)::int`.as("count"))
        .where("principal", "=", request.principal)
        .where("revoked_at", "is", null)
        .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", now)]))
        .executeTakeFirstOrThrow();
      if (inUse.count >= mostKeys) throw tooMany(request.principal);
      const key = createApiKey();
      const row: ApiKeyRow = {
        id: key.id,
        principal: request.principal,
        secret_sha256: Buffer.from(key.secretSha256),
        description: request.description,
        created_at: now,
        expires_at: request.expiresAt,
        revoked_at: null,
      };
      await tx.insertInto("api_key").values(row).execute();
      touch(policyEntryKey.apiKey(key.id));
      await this.#o.events.apiKey(tx, cause, { keyId: key.id, principal: request.principal, change: "created" });
      return { row, text: key.text };
    });
  }

  /** Revokes a key; one revoked already stays so. */
  async revoke(id: string, cause: Cause): Promise<Changed<void>> {
    return await this.#o.writer.change(async ({ tx, touch }) => {
      const row = await tx
        .updateTable("api_key")
        .set({ revoked_at: new Date(this.#o.clock.now()) })
        .where("id", "=", id)
        .where("revoked_at", "is", null)
        .returning("principal")
        .executeTakeFirst();
      if (row === undefined) return;
      touch(policyEntryKey.apiKey(id));
      await this.#o.events.apiKey(tx, cause, { keyId: id, principal: row.principal, change: "deleted" });
    });
  }

  /** Revokes every key of a principal in a change that is under way. */
  async revokeAll(change: PolicyChange, principal: string, cause: Cause): Promise<void> {
    await revokeKeys(change, principal, { events: this.#o.events, cause, now: new Date(this.#o.clock.now()) });
  }

  /** Revokes every key of a principal that is in force. Returns their ids. */
  async revokeEvery(principal: string, cause: Cause): Promise<Changed<string[]>> {
    return await this.#o.writer.change(async (change) => {
      const now = new Date(this.#o.clock.now());
      return await revokeKeys(change, principal, { events: this.#o.events, cause, now });
    });
  }

  /** Ids of the keys of a principal that were not revoked. */
  async inForce(principal: string): Promise<string[]> {
    const keys = this.#o.writer.store.db.selectFrom("api_key").select("id").where("principal", "=", principal);
    const rows = await keys.where("revoked_at", "is", null).orderBy("id").execute();
    return rows.map(({ id }) => id);
  }

  async find(id: string): Promise<ApiKeyRow | undefined> {
    return await this.#o.writer.store.db.selectFrom("api_key").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** One row more than the page holds, by id: of a principal or everybody, and of those with a grant in a project or all. */
  async list({ principal, project }: WhoseKeys, page: Page): Promise<ApiKeyRow[]> {
    let keys = this.#o.writer.store.db
      .selectFrom("api_key")
      .selectAll()
      .orderBy("id")
      .limit(page.size + 1);
    if (principal !== undefined) keys = keys.where("principal", "=", principal);
    if (project !== undefined) keys = keys.where(granteesOf(project, new Date(this.#o.clock.now())));
    if (page.after !== undefined) keys = keys.where("id", ">", page.after);
    return await keys.execute();
  }
}

/** Whether a key's principal, or a group it is in, is granted something in a project. */
function granteesOf(project: string, now: Date) {
  const within = `${project.replaceAll("_", "\\_")}.%`;
  return sql<boolean>`exists (
    select from access_grant as g
    where g.effect = ${Effect.ALLOW} and (g.expires_at is null or g.expires_at > ${now})
      and (g.resource in ('*', ${project}) or g.resource like ${within})
      and (g.subject = api_key.principal
        or g.subject in (select 'group:' || m.group_name from group_member as m where m.member = api_key.principal)))`;
}

function tooMany(principal: string): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `${principal} has ${mostKeys} API keys in use.`, {
    reason: "TOO_MANY_KEYS",
    remedy: "Revoke one that is not needed any more.",
  });
}
