import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
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
 * Tests that kill the server start their own with `startOwnPostgres` or `startMortalPostgres`.
 */
export function startTestPostgres(): Promise<EmbeddedPostgres> {
  shared ??= startOwnPostgres();
  return shared;
}

/** True once this process has started its shared server. */
export function hasTestPostgres(): boolean {
  return shared !== undefined;
}

/** A server for one test alone; the caller stops it. */
export async function startOwnPostgres(): Promise<EmbeddedPostgres> {
  return start(await openDirectory(), true);
}

/** A fresh, empty database on the shared server. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await startTestPostgres();
  const name = `test_${randomBytes(6).toString("hex")}`;
  const url = await createDatabase(server.url, name);
  const drop = () => dropDatabase(server.url, name);
  return { url, drop, [Symbol.asyncDispose]: drop };
}

/** A server that a test kills and brings back, with its data and on its port. Disposing ends it and removes the data. */
export interface MortalServer extends AsyncDisposable {
  readonly url: string;
  /** SIGKILL, and waits until the process is gone. */
  kill(): Promise<void>;
  /** Starts it again. */
  revive(): Promise<void>;
}

export async function startMortalPostgres(): Promise<MortalServer> {
  const directory = await openDirectory();
  let server: EmbeddedPostgres | undefined = await start(directory, false);
  return {
    url: server.url,
    async kill() {
      if (server === undefined) return;
      process.kill(server.pid, "SIGKILL");
      await server.failed.catch(() => {});
      server = undefined;
    },
    async revive() {
      server ??= await start(directory, false);
    },
    async [Symbol.asyncDispose]() {
      await server?.stop();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** As root, the server runs under another account, which must be able to enter. */
async function openDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "aimass-test-postgres-"));
  await chmod(directory, 0o711);
  return directory;
}

function start(directory: string, temporary: boolean): Promise<EmbeddedPostgres> {
  const signal = new AbortController().signal;
  return startEmbeddedPostgres({ directory, clock: systemClock, signal, durable: false, temporary });
}
