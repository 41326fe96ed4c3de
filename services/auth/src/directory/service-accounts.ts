import { policyEntryKey } from "@aimass/identity";
import type { Cause } from "../database.ts";
import type { Page } from "../page.ts";
import type { Changed } from "../policy/policy-change.ts";
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

  /** One row more than the page holds, by name. */
  async list(page: Page): Promise<PrincipalRow[]> {
    return await listPrincipals(this.#o.writer, "service-account", page);
  }
}
