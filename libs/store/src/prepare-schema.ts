import { AimassError, Backoff, deadlineSignal, systemClock } from "@aimass/core";
import { fromDatabaseError, isDatabaseUnavailable } from "./database-error.ts";
import { migrate } from "./migrations.ts";
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
