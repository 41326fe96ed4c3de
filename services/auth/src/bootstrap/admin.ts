import { randomBytes } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@aimass/core";
import { policyEntryKey } from "@aimass/identity";
import { sql } from "kysely";
import type { AuthEvents } from "../events.ts";
import type { PasswordHasher } from "../passwords/password-hasher.ts";
import type { PolicyChange, PolicyWriter } from "../policy/policy-change.ts";

/** The user that first start makes and that a reset restores. */
export const adminName = "admin";
const adminId = `user:${adminName}`;
const fileName = "admin-password";

export interface AdminOptions {
  readonly writer: PolicyWriter;
  readonly events: AuthEvents;
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
  readonly stateDirectory: string | undefined;
}

/** What a person must hear of once. */
export interface AdminPassword {
  readonly username: string;
  readonly password: string;
  /** Where it was written, mode 0600; undefined without a state directory. */
  readonly file: string | undefined;
}

/** Makes the first admin when there is none. Of many processes that start at once, one does; the others return undefined. */
export async function bootstrapAdmin(options: AdminOptions): Promise<AdminPassword | undefined> {
  if (await adminExists(options.writer.store.db)) return undefined;
  const password = newPassword();
  const hash = await options.hasher.hash(password, "password");
  const { value } = await options.writer.change(async (change) => {
    if (await adminExists(change.tx)) return undefined;
    await putAdmin(options, change, hash, "first start");
    // Before the commit: a crash in between leaves a file that is written again, not an admin nobody can be.
    return await writePassword(options.stateDirectory, password);
  });
  return value;
}

/** Gives the user "admin" a new password, the role admin and no lock, and ends its sessions. For whoever holds the database. */
export async function resetAdmin(options: AdminOptions): Promise<AdminPassword> {
  const password = newPassword();
  const hash = await options.hasher.hash(password, "password");
  const { value } = await options.writer.change(async (change) => {
    await putAdmin(options, change, hash, "admin reset");
    return await writePassword(options.stateDirectory, password);
  });
  return value;
}

async function putAdmin(
  options: AdminOptions,
  { tx, touch }: PolicyChange,
  passwordHash: string,
  detail: string,
): Promise<void> {
  const now = new Date(options.clock.now());
  const row = { disabled: false, roles: ["admin"], password_hash: passwordHash, tokens_not_before: now };
  await tx
    .insertInto("principal")
    .values({ id: adminId, kind: "user", name: adminName, description: "Administrator", created_at: now, ...row })
    .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
    .execute();
  await tx
    .updateTable("session")
    .set({ ended_at: now })
    .where("principal", "=", adminId)
    .where("ended_at", "is", null)
    .execute();
  await tx.deleteFrom("sign_in_attempt").where("bucket", "=", adminId).execute();
  touch(policyEntryKey.principal(adminId));
  const cause = { actor: "service:auth", traceparent: "" };
  await options.events.principal(tx, cause, { principal: adminId, change: "updated", detail });
}

async function adminExists(db: PolicyWriter["store"]["db"] | PolicyChange["tx"]): Promise<boolean> {
  const admins = db.selectFrom("principal").select("id").where(sql<boolean>`'admin' = any(roles)`);
  return (await admins.limit(1).executeTakeFirst()) !== undefined;
}

async function writePassword(directory: string | undefined, password: string): Promise<AdminPassword> {
  if (directory === undefined) return { username: adminName, password, file: undefined };
  const file = join(directory, fileName);
  await mkdir(directory, { recursive: true });
  await writeFile(`${file}.new`, `${password}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return { username: adminName, password, file };
}

/** 120 bits. */
function newPassword(): string {
  return randomBytes(15).toString("base64url");
}
