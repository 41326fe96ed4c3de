import { type Clock, type Environment, readConfig, systemClock } from "@aimass/core";
import { EventWriter } from "@aimass/events";
import { assertSchema, openStore } from "@aimass/store";
import { type AdminPassword, resetAdmin } from "./bootstrap/admin.ts";
import type { AuthDatabase } from "./database.ts";
import { AuthEvents } from "./events.ts";
import { authMigrations } from "./migrations/index.ts";
import { PasswordHasher } from "./passwords/password-hasher.ts";
import { PolicyWriter } from "./policy/policy-change.ts";

/**
 * Gives the user "admin" a new password and the role admin again, whether auth processes run or not; those that run learn of it at once, and the reset is
 * audited once one runs. For whoever holds the database: AIMASS_DATABASE_URL, and AIMASS_STATE_DIR for the file. Makes nothing in a
 * database without an installation (FAILED_PRECONDITION).
 */
export async function adminReset(
  env: Environment,
  { clock = systemClock, revokeKeys = false }: { clock?: Clock; revokeKeys?: boolean } = {},
): Promise<AdminPassword> {
  const config = readConfig(env, (v) => ({
    databaseUrl: v.secret("AIMASS_DATABASE_URL"),
    stateDirectory: v.optional("AIMASS_STATE_DIR"),
  }));
  await assertSchema(config.databaseUrl, "auth");
  await using store = await openStore<AuthDatabase>({
    url: config.databaseUrl,
    schema: "auth",
    migrations: authMigrations,
    clock,
    waitMs: 5000,
  });
  return await resetAdmin({
    writer: new PolicyWriter(store),
    events: new AuthEvents(new EventWriter("auth", clock)),
    hasher: new PasswordHasher(1),
    clock,
    stateDirectory: config.stateDirectory,
    revokeKeys,
  });
}
