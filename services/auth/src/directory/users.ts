import { AimassError, type Clock } from "@aimass/core";
import { isPrincipalName, policyEntryKey, roleNames } from "@aimass/identity";
import { isUniqueViolation } from "@aimass/store";
import type { Selectable } from "kysely";
import type { AuthDatabase, AuthTransaction, Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { Page } from "../page.ts";
import type { PasswordHasher } from "../passwords/password-hasher.ts";
import type { Changed, PolicyChange, PolicyWriter } from "../policy/policy-change.ts";
import type { Sessions } from "../sessions/sessions.ts";

import { firstGeneration, type Holdings, holdingsOf, removePrincipal } from "./principal-removal.ts";

export type PrincipalRow = Selectable<AuthDatabase["principal"]>;

/** What may be changed of a user; absent fields stay. */
export interface UserChange {
  readonly name: string;
  readonly disabled?: boolean | undefined;
  readonly password?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  /** Done to the user in the same transaction, whatever else changes. */
  readonly also?: ((change: PolicyChange, principal: string) => Promise<void>) | undefined;
}

export interface DirectoryOptions {
  readonly writer: PolicyWriter;
  readonly events: AuthEvents;
  readonly clock: Clock;
}

/** The people. */
export class Users {
  readonly #o: DirectoryOptions & { hasher: PasswordHasher; sessions: Sessions };

  constructor(options: DirectoryOptions & { hasher: PasswordHasher; sessions: Sessions }) {
    this.#o = options;
  }

  /** Throws ALREADY_EXISTS; INVALID_ARGUMENT for a name, role or password that is not possible. */
  async create(
    user: { name: string; displayName: string; password: string; roles: readonly string[] },
    cause: Cause,
  ): Promise<Changed<PrincipalRow>> {
    assertName(user.name);
    assertRoles(user.roles);
    const passwordHash = await this.#o.hasher.hash(user.password, "password");
    return await this.#o.writer.change(async ({ tx, touch }) => {
      const row = await insertPrincipal(tx, {
        id: `user:${user.name}`,
        kind: "user",
        name: user.name,
        description: user.displayName,
        roles: [...new Set(user.roles)].sort(),
        password_hash: passwordHash,
        tokens_not_before: null,
        created_at: new Date(this.#o.clock.now()),
      });
      touch(policyEntryKey.principal(row.id));
      const detail = user.roles.length === 0 ? "" : `roles: ${user.roles.join(", ")}`;
      await this.#o.events.principal(tx, cause, { principal: row.id, change: "created", detail });
      return row;
    });
  }

  /** Throws NOT_FOUND; FAILED_PRECONDITION when no admin would be left. */
  async update(request: UserChange, cause: Cause): Promise<Changed<PrincipalRow>> {
    if (request.roles !== undefined) assertRoles(request.roles);
    const { password } = request;
    const passwordHash = password === undefined ? undefined : await this.#o.hasher.hash(password, "password");
    return await this.#o.writer.change(async (change) => {
      const old = await findUser(change.tx, request.name);
      await request.also?.(change, old.id);
      const row = {
        ...old,
        disabled: request.disabled ?? old.disabled,
        roles: request.roles === undefined ? old.roles : [...new Set(request.roles)].sort(),
        password_hash: passwordHash ?? old.password_hash,
      };
      const details = describeChanges(old, row);
      if (details.length === 0) return old;
      await this.#assertAdminLeft(change.tx, old, row);
      const { disabled, roles, password_hash } = row;
      await change.tx
        .updateTable("principal")
        .set({ disabled, roles, password_hash })
        .where("id", "=", old.id)
        .execute();
      await this.#afterUpdate(change, old, row);
      const detail = details.join("; ");
      await this.#o.events.principal(change.tx, cause, { principal: old.id, change: "updated", detail });
      return row;
    });
  }

  /** Removes a user with all that is held, or only says what that is. Throws NOT_FOUND; FAILED_PRECONDITION for the last admin. */
  async delete(name: string, cause: Cause, validateOnly: boolean): Promise<Changed<Holdings>> {
    const { writer, events, clock } = this.#o;
    return await writer.change(async (change) => {
      const user = await findUser(change.tx, name);
      await this.#assertAdminLeft(change.tx, user, { ...user, roles: [] });
      const now = new Date(clock.now());
      const holdings = await holdingsOf(change.tx, user.id, now);
      if (!validateOnly) await removePrincipal(change, user.id, { events, cause, now });
      return holdings;
    });
  }

  /** One row more than the page holds, by name. */
  async list(page: Page): Promise<PrincipalRow[]> {
    return await listPrincipals(this.#o.writer, "user", page);
  }

  async #afterUpdate(change: PolicyChange, old: PrincipalRow, row: PrincipalRow): Promise<void> {
    change.touch(policyEntryKey.principal(old.id));
    const locked = row.disabled && !old.disabled;
    if (locked || row.password_hash !== old.password_hash) await this.#o.sessions.endAll(change, old.id);
  }

  /** Every change holds the policy's version row, so two admins cannot remove each other at the same time. */
  async #assertAdminLeft(tx: AuthTransaction, old: PrincipalRow, row: PrincipalRow): Promise<void> {
    const isAdmin = (p: PrincipalRow) => p.roles.includes("admin") && !p.disabled;
    if (!isAdmin(old) || isAdmin(row)) return;
    const admins = await tx.selectFrom("principal").select(["id", "roles"]).where("disabled", "=", false).execute();
    if (admins.some((p) => p.id !== old.id && p.roles.includes("admin"))) return;
    throw new AimassError("FAILED_PRECONDITION", `${old.id} is the last admin.`, {
      reason: "LAST_ADMIN",
      remedy: "Make someone else admin first.",
    });
  }
}

/** Throws INVALID_ARGUMENT for a text that cannot name a principal. */
export function assertName(name: string, field = "name"): void {
  if (isPrincipalName(name)) return;
  throw new AimassError("INVALID_ARGUMENT", `"${name.slice(0, 100)}" is not a possible name.`, {
    field,
    remedy: "Use 1 to 64 characters of a-z, 0-9, '.', '_' and '-', beginning with a letter.",
  });
}

/** Adds a principal. Throws ALREADY_EXISTS. */
export async function insertPrincipal(
  tx: AuthTransaction,
  row: Omit<PrincipalRow, "disabled" | "token_generation">,
): Promise<PrincipalRow> {
  try {
    const token_generation = await firstGeneration(tx, row.id);
    await tx
      .insertInto("principal")
      .values({ ...row, token_generation })
      .execute();
    return { ...row, disabled: false, token_generation };
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new AimassError("ALREADY_EXISTS", `${row.id} exists already.`, { field: "name" });
  }
}

/** One row more than the page holds, by name. */
export async function listPrincipals(
  writer: PolicyWriter,
  kind: PrincipalRow["kind"],
  page: Page,
): Promise<PrincipalRow[]> {
  let query = writer.store.db.selectFrom("principal").selectAll().where("kind", "=", kind).orderBy("name");
  if (page.after !== undefined) query = query.where("name", ">", page.after);
  return await query.limit(page.size + 1).execute();
}

async function findUser(tx: AuthTransaction, name: string): Promise<PrincipalRow> {
  const row = await tx.selectFrom("principal").selectAll().where("id", "=", `user:${name}`).executeTakeFirst();
  if (row === undefined)
    throw new AimassError("NOT_FOUND", `There is no user "${name.slice(0, 100)}".`, { field: "name" });
  return row;
}

function assertRoles(roles: readonly string[]): void {
  const unknown = roles.find((role) => !roleNames.some((name) => name === role));
  if (unknown === undefined) return;
  throw new AimassError("INVALID_ARGUMENT", `"${unknown.slice(0, 100)}" is not a platform role.`, {
    field: "roles",
    remedy: `The roles are ${roleNames.join(", ")}.`,
  });
}

function describeChanges(old: PrincipalRow, row: PrincipalRow): string[] {
  const details: string[] = [];
  if (old.disabled !== row.disabled) details.push(row.disabled ? "disabled" : "enabled");
  if (old.roles.join() !== row.roles.join()) details.push(`roles: ${row.roles.join(", ") || "none"}`);
  if (old.password_hash !== row.password_hash) details.push("password set");
  return details;
}
