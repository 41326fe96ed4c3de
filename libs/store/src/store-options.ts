import type { Clock } from "@aimass/core";
import type { Migration } from "./migrations.ts";

export interface StoreOptions {
  /** "postgres://user:password@host:port/database"; `?sslmode=` as libpq has it. */
  readonly url: string;
  /** The schema this process owns: lower-case letters, digits, underscores. First on the search path. */
  readonly schema: string;
  /** In order; each runs once. */
  readonly migrations: readonly Migration[];
  /** Default 10, beside one for notifications. */
  readonly maxConnections?: number | undefined;
  readonly clock?: Clock | undefined;
  /** How long to wait for the server to come up, in milliseconds. Default 60000. */
  readonly waitMs?: number | undefined;
  /** Ends the wait for the server. */
  readonly signal?: AbortSignal | undefined;
  /** A query without an answer for this long fails with UNAVAILABLE. Default 30000. */
  readonly queryTimeoutMs?: number | undefined;
  /** Told of broken connections, for the log. They heal by themselves. */
  readonly onError?: ((error: unknown) => void) | undefined;
}
