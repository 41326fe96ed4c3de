import { AimassError } from "@aimass/core";
import { policyEntryKey } from "@aimass/identity";
import type { AuthTransaction, Cause } from "../database.ts";
import type { Page } from "../page.ts";
import type { Changed } from "../policy/policy-change.ts";
import { type Holdings, holdingsOf, removePrincipal } from "./principal-removal.ts";
import { assertName, type DirectoryOptions, insertPrincipal, listPrincipals, type PrincipalRow } from "./users.ts";

/** The programs. */
export class ServiceAccounts {
  readonly #o: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#o = options;
  }

  /** Throws ALREADY_EXISTS; INVALID_ARGUMENT for a name that is not possible. */
  async create(account: { name: string; description: string }, cause: Cause): Promise<Changed<PrincipalRow>> {
    assertName(account.name);
    return await this.#o.writer.change(async ({ tx, touch }) => {
      const row = await insertPrincipal(tx, {
        id: `service-account:${account.name}`,
        kind: "service-account",
        name: account.name,
        description: account.description,
        roles: [],
        password_hash: null,
        tokens_not_before: null,
        created_at: new Date(this.#o.clock.now()),
      });
      touch(policyEntryKey.principal(row.id));
      await this.#o.events.principal(tx, cause, { principal: row.id, change: "created", detail: "" });
      return row;
    });
  }

  /** Fields left out stay as they are; what changes nothing is not told. Throws NOT_FOUND. */
  async update(
    change: { name: string; disabled?: boolean | undefined; description?: string | undefined },
    cause: Cause,
  ): Promise<Changed<PrincipalRow>> {
    return await this.#o.writer.change(async ({ tx, touch }) => {
      const old = await findAccount(tx, change.name);
      const { id } = old;
      const { disabled = old.disabled, description = old.description } = change;
      const details = [
        ...(disabled === old.disabled ? [] : [disabled ? "disabled" : "enabled"]),
        ...(description === old.description ? [] : ["description"]),
      ];
      if (details.length === 0) return old;
      await tx.updateTable("principal").set({ disabled, description }).where("id", "=", id).execute();
      touch(policyEntryKey.principal(id));
      await this.#o.events.principal(tx, cause, { principal: id, change: "updated", detail: details.join("; ") });
      return { ...old, disabled, description };
    });
  }

  /** Removes a service account with all that it holds, or only says what that is. Throws NOT_FOUND. */
  async delete(name: string, cause: Cause, validateOnly: boolean): Promise<Changed<Holdings>> {
    const { writer, events, clock } = this.#o;
    return await writer.change(async (change) => {
      const { id } = await findAccount(change.tx, name);
      const now = new Date(clock.now());
      const holdings = await holdingsOf(change.tx, id, now);
      if (!validateOnly) await removePrincipal(change, id, { events, cause, now });
      return holdings;
    });
  }

  /** One row more than the page holds, by name. */
  async list(page: Page): Promise<PrincipalRow[]> {
    return await listPrincipals(this.#o.writer, "service-account", page);
  }
}

async function findAccount(tx: AuthTransaction, name: string): Promise<PrincipalRow> {
  const id = `service-account:${name}`;
  const row = await tx.selectFrom("principal").selectAll().where("id", "=", id).executeTakeFirst();
  if (row !== undefined) return row;
  throw new AimassError("NOT_FOUND", `There is no service account "${name.slice(0, 100)}".`, { field: "name" });
}
