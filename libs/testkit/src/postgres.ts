import { randomBytes } from "node:crypto";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@aimass/core";
import { createDatabase, dropDatabase, type EmbeddedPostgres, startEmbeddedPostgres } from "@aimass/embedded";

/** A database of a test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** What AIMASS_DATABASE_URL wants. */
  readonly url: string;
  /** Removes it, cutting off its clients. */
  drop(): Promise<void>;
}

let shared: Promise<EmbeddedPostgres> | undefined;

/**
 * The PostgreSQL of this test process, started on first use. It ends with the process, however that ends, and takes its files along.
 * Tests that kill the server start their own with `startOwnPostgres`.
 */
export function startTestPostgres(): Promise<EmbeddedPostgres> {
  shared ??= startOwnPostgres();
  return shared;
}

/** A server for one test alone; the caller stops it. */
export async function startOwnPostgres(): Promise<EmbeddedPostgres> {
  const directory = await mkdtemp(join(tmpdir(), "aimass-test-postgres-"));
  await chmod(directory, 0o711);
  const signal = new AbortController().signal;
  return startEmbeddedPostgres({ directory, clock: systemClock, signal, durable: false, temporary: true });
}

/** A fresh, empty database on the shared server. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await startTestPostgres();
  const name = `test_${randomBytes(6).toString("hex")}`;
  const url = await createDatabase(server.url, name);
  const drop = () => dropDatabase(server.url, name);
  return { url, drop, [Symbol.asyncDispose]: drop };
}
