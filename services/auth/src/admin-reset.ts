import { type Clock, type Environment, readConfig, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { type AdminPassword, resetAdmin } from "./bootstrap/admin.ts";
import type { AuthDatabase } from "./database.ts";
import { AuthEvents } from "./events.ts";
import { authMigrations } from "./migrations/index.ts";
import { PasswordHasher } from "./passwords/password-hasher.ts";
import { PolicyWriter } from "./policy/policy-change.ts";

/**
 * Gives the user "admin" a new password and the role admin again, whether auth processes run or not; those that run learn of it at once, and the reset is
 * audited. For whoever holds the database: AIMASS_DATABASE_URL, and AIMASS_STATE_DIR for the file.
 */
export async function adminReset(env: Environment, clock: Clock = systemClock): Promise<AdminPassword> {
  const config = readConfig(env, (v) => ({
    databaseUrl: v.secret("AIMASS_DATABASE_URL"),
    natsUrl: v.string("NATS_URL", ""),
    stateDirectory: v.optional("AIMASS_STATE_DIR"),
  }));
  await using store = await openStore<AuthDatabase>({
    url: config.databaseUrl,
    schema: "auth",
    migrations: authMigrations,
    clock,
    waitMs: 5000,
  });
  await using bus = await openEventBus({ source: "auth", store, ...config, clock, telemetry: silentTelemetry() });
  return await resetAdmin({
    writer: new PolicyWriter(store),
    events: new AuthEvents(bus),
    hasher: new PasswordHasher(1),
    clock,
    stateDirectory: config.stateDirectory,
  });
}
