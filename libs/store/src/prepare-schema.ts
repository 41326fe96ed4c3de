import { AimassError, Backoff, deadlineSignal, systemClock } from "@aimass/core";
import pg from "pg";
import { fromDatabaseError, isDatabaseUnavailable } from "./database-error.ts";
import { migrate } from "./migrations.ts";
import { connectionSettings } from "./pool.ts";
import type { StoreOptions } from "./store-options.ts";

/** Waits for the server and brings the schema up to date. */
export async function prepareSchema(options: StoreOptions): Promise<void> {
  const { clock = systemClock, waitMs = 60_000 } = options;
  const backoff = new Backoff({ initialMs: 50, maxMs: 1000 });
  using wait = deadlineSignal(waitMs, options.signal);
  while (true) {
    try {
      return await migrate(options.url, options.schema, options.migrations);
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw explain(error);
      options.onError?.(error);
      options.signal?.throwIfAborted();
      await clock.sleep(backoff.next(), wait.signal).catch(() => {
        options.signal?.throwIfAborted();
        throw fromDatabaseError(error);
      });
    }
  }
}

/** For those who mend and must not make: throws FAILED_PRECONDITION `SCHEMA_MISSING` unless a service has used this database before. */
export async function assertSchema(url: string, schema: string): Promise<void> {
  const client = new pg.Client(connectionSettings(url, schema));
  client.on("error", () => {});
  try {
    await client.connect();
    const found = await client.query("select 1 from pg_namespace where nspname = $1", [schema]);
    if (found.rowCount !== 0) return;
  } catch (error) {
    throw isDatabaseUnavailable(error) ? fromDatabaseError(error) : explain(error);
  } finally {
    await client.end().catch(() => {});
  }
  throw new AimassError("FAILED_PRECONDITION", `The database has no schema "${schema}": no mesh has used it yet.`, {
    reason: "SCHEMA_MISSING",
    remedy: "Check AIMASS_DATABASE_URL.",
  });
}

const refusals: Readonly<Record<string, string>> = {
  "28P01": "The database refused the user or password.",
  "28000": "The database refused the user.",
  "3D000": "The database does not exist.",
  "42501": "The database user may not create the service's schema.",
};

function explain(error: unknown): unknown {
  const sentence = refusals[String((error as { code?: unknown }).code)];
  if (sentence === undefined) return error;
  return new AimassError("FAILED_PRECONDITION", sentence, {
    reason: "DATABASE_REFUSED",
    remedy: "Correct AIMASS_DATABASE_URL, or the rights of its user.",
    cause: error,
  });
}
