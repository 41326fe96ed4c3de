import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@aimass/core";
import { policyEntryKey } from "@aimass/identity";
import { sql } from "kysely";
import { firstGeneration } from "../directory/principal-removal.ts";
import { revokeKeys } from "../directory/revoke-keys.ts";
import type { AuthEvents } from "../events.ts";
import type { PasswordHasher } from "../passwords/password-hasher.ts";
import type { PolicyChange, PolicyWriter } from "../policy/policy-change.ts";
import { endSessions } from "../sessions/end-sessions.ts";
import { nextGeneration } from "../sessions/sessions.ts";

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
  /** True: the admin's API keys are revoked. */
  readonly revokeKeys?: boolean;
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
  const write = passwordWriter(options.stateDirectory, password);
  const { value } = await options.writer.change(async (change) => {
    if (await adminExists(change.tx)) return undefined;
    await putAdmin(options, change, hash, "first start");
    // Before the commit: a crash in between leaves a file that is written again, not an admin nobody can be.
    return await write();
  });
  return value;
}

/** Gives the user "admin" a new password, the role admin and no lock, and ends its sessions. For whoever holds the database. */
export async function resetAdmin(options: AdminOptions): Promise<AdminPassword> {
  const password = newPassword();
  const hash = await options.hasher.hash(password, "password");
  const write = passwordWriter(options.stateDirectory, password);
  const { value } = await options.writer.change(async (change) => {
    await putAdmin(options, change, hash, "admin reset");
    return await write();
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
  const cause = { actor: "service:auth", traceparent: "" };
  const token_generation = await firstGeneration(tx, adminId);
  const row = { disabled: false, roles: ["admin"], password_hash: passwordHash, tokens_not_before: now };
  await tx
    .insertInto("principal")
    .values({
      id: adminId,
      kind: "user",
      name: adminName,
      description: "Administrator",
      created_at: now,
      token_generation,
      ...row,
    })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ ...row, token_generation: nextGeneration }))
    .execute();
  await endSessions({ tx, touch }, now, { principal: adminId });
  if (options.revokeKeys) await revokeKeys({ tx, touch }, adminId, { events: options.events, cause, now });
  await tx.deleteFrom("sign_in_attempt").where("bucket", "=", adminId).execute();
  touch(policyEntryKey.principal(adminId));
  await options.events.principal(tx, cause, { principal: adminId, change: "updated", detail });
}

async function adminExists(db: PolicyWriter["store"]["db"] | PolicyChange["tx"]): Promise<boolean> {
  const admins = db.selectFrom("principal").select("id").where(sql<boolean>`'admin' = any(roles)`);
  return (await admins.limit(1).executeTakeFirst()) !== undefined;
}

/**
 * Writes a password, once however often the transaction around it is tried. A file that is there is never written over: it may be the only place of the password of
 * another database, which comes back. The first is `admin-password`, later ones `admin-password-2` and so on; the highest number is the newest.
 */
function passwordWriter(directory: string | undefined, password: string): () => Promise<AdminPassword> {
  let file: string | undefined;
  return async () => {
    if (directory !== undefined) file ??= await writeNewFile(directory, `${password}\n`);
    return { username: adminName, password, file };
  };
}

async function writeNewFile(directory: string, text: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (let number = 1; ; number += 1) {
    const file = join(directory, number === 1 ? fileName : `${fileName}-${number}`);
    try {
      await writeFile(file, text, { mode: 0o600, flag: "wx" });
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** 120 bits. */
function newPassword(): string {
  return randomBytes(15).toString("base64url");
}
