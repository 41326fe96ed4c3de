import { rm } from "node:fs/promises";
import { AimassError, abortError, type Clock, takeProcessLock } from "@aimass/core";
import { serverAccount } from "./account.ts";
import { prepareCluster, superuser } from "./cluster.ts";
import { createDatabase, withClient } from "./database.ts";
import { directoryInUse, explainFailure } from "./failure.ts";
import { giveHome, type Home, openHome } from "./home.ts";
import { prepareInstallation } from "./installation.ts";
import { findPlatformPackage } from "./platform-package.ts";
import { choosePort, keepPort } from "./port.ts";
import { type ServerOptions, ServerProcess } from "./server-process.ts";
import { clearStaleServer } from "./stale-server.ts";
import { startWatcher, type Watcher } from "./watcher.ts";

/** Crash recovery of a large database takes a while; beyond this something is wrong. */
const readyLimitMs = 120_000;
const readyPollMs = 20;

/** Backends of a server that was killed end by themselves; until then they keep the next one out. */
const orphansInTheWay = /pre-existing shared memory block/;
const orphanPollMs = 100;
const orphanLimitMs = 10_000;

export interface EmbeddedPostgresOptions {
  /** Where everything is kept: the cluster, the password (0600), the port. Made when missing. */
  readonly directory: string;
  /** Port on 127.0.0.1. Default: the one of the last start, else a free one. */
  readonly port?: number | undefined;
  readonly clock: Clock;
  /** Bounds the start; a started server is ended by `stop`. */
  readonly signal: AbortSignal;
  /** Gets each line the server logs. */
  readonly onLog?: ((line: string) => void) | undefined;
  /** False gives up safety on power loss for speed: for tests. Default true. */
  readonly durable?: boolean | undefined;
  /** True removes the directory when the server stops or this process dies: for tests. Default false. */
  readonly temporary?: boolean | undefined;
}

/** A running server. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** "postgres://aimass:<password>@127.0.0.1:<port>/aimass": what AIMASS_DATABASE_URL wants. Holds the password. */
  readonly url: string;
  readonly port: number;
  /** Process id of the server. */
  readonly pid: number;
  /** Where the state really is: the directory, or its stand-in when only root can enter that. */
  readonly home: string;
  /** Ends the server: fast shutdown, then harder. May be called again. */
  stop(): Promise<void>;
  /** Rejects when the server ends without `stop`. The same directory may then be started again. */
  readonly failed: Promise<never>;
}

/**
 * Starts a real PostgreSQL 18 from the npm package of this platform, on loopback only, with a random password. Runs as any user; as root it runs under
 * an unprivileged account. When this process dies, however, the server ends too.
 *
 * ### Errors
 * Each is a sentence with a remedy.
 * - `ALREADY_EXISTS` `DIRECTORY_IN_USE`: a server runs on the directory.
 * - `FAILED_PRECONDITION` `PORT_TAKEN`, `PLATFORM_PACKAGE_MISSING`, `LIBRARY_MISSING`, `DATA_VERSION`, `DATA_FOREIGN`, `DATA_MISSING`, `DATA_TWICE`,
 *   `DIRECTORY_CLOSED`, `PASSWORD_MISSING`.
 * - `RESOURCE_EXHAUSTED` `DISK_FULL`, `SHARED_MEMORY`; `PERMISSION_DENIED` `DIRECTORY_CLOSED`.
 * - `UNIMPLEMENTED`: no PostgreSQL for this platform.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { directory, signal } = options;
  if (signal.aborted) throw abortError(signal);
  try {
    return await start(options);
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    if (error instanceof AimassError) throw error;
    throw explainFailure({ what: "could not start", directory, output: String((error as Error).message) }, error);
  }
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { clock, signal, onLog, durable = true, temporary = false } = options;
  const source = findPlatformPackage();
  const account = serverAccount();
  const home = await openHome(options.directory, account);
  const taken = await takeProcessLock(home.lockFile);
  if (taken.kind === "held") throw directoryInUse(home.directory, taken.pid);
  const { lock } = taken;
  try {
    if (temporary) await giveHome(home, account);
    await clearStaleServer(home, clock, signal);
    const installation = await prepareInstallation(source, account, home.path);
    const password = await prepareCluster({ home, installation, account, durable, signal });
    const port = await choosePort(options.port, home.portFile);
    const launch = { home, installation, account, port, durable, clock, onLog, password, temporary, signal };
    const { server, watcher, url } = await launchPastOrphans(launch);
    await keepPort(home.portFile, port);
    const release = async () => {
      watcher.dismiss();
      await lock.release();
      if (temporary) await removeHome(home);
    };
    return handle({ server, home, port, url, release });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface LaunchOptions extends ServerOptions {
  readonly password: string;
  readonly temporary: boolean;
  readonly signal: AbortSignal;
}

interface Launched {
  readonly server: ServerProcess;
  readonly watcher: Watcher;
  readonly url: string;
}

async function launchPastOrphans(options: LaunchOptions): Promise<Launched> {
  const started = options.clock.monotonic();
  while (true) {
    const launched = await launch(options);
    if (!(launched instanceof ServerProcess)) return launched;
    const patient = options.clock.monotonic() - started < orphanLimitMs;
    if (!patient || !orphansInTheWay.test(launched.output)) throw notReady(launched, options);
    await options.clock.sleep(orphanPollMs, options.signal);
  }
}

/** Starts the program and waits until it answers; the ended process when it ended instead. */
async function launch(options: LaunchOptions): Promise<Launched | ServerProcess> {
  const server = new ServerProcess(options);
  const { home, account, temporary } = options;
  const watcher = startWatcher({ pid: server.pid, home, account, removeHome: temporary });
  try {
    const url = await waitUntilReady(server, options);
    if (url !== undefined) return { server, watcher, url: await createOwnDatabase(url) };
    watcher.dismiss();
    return server;
  } catch (error) {
    await server.stop();
    watcher.dismiss();
    throw error;
  }
}

/** The URL of the database of ours. Roles that are let into it find no way into the server's own. */
async function createOwnDatabase(url: string): Promise<string> {
  await withClient(url, (client) => client.query("revoke all on database postgres, template1 from public"));
  return await createDatabase(url, superuser);
}

/** The server's own URL once it answers; undefined when it ended. */
async function waitUntilReady(server: ServerProcess, o: LaunchOptions): Promise<string | undefined> {
  const url = `postgres://${superuser}:${o.password}@127.0.0.1:${o.port}/postgres`;
  const started = o.clock.monotonic();
  while (!server.hasEnded) {
    try {
      await withClient(url, (client) => client.query("select 1"));
      return url;
    } catch (error) {
      if (o.clock.monotonic() - started > readyLimitMs) throw notReady(server, o, error);
    }
    await Promise.race([o.clock.sleep(readyPollMs, o.signal), server.ended]);
  }
  return undefined;
}

function notReady(server: ServerProcess, o: LaunchOptions, cause?: unknown): AimassError {
  const output = server.output === "" ? String((cause as Error | undefined)?.message ?? "") : server.output;
  return explainFailure({ what: "did not become ready", directory: o.home.directory, port: o.port, output }, cause);
}

function handle(o: {
  server: ServerProcess;
  home: Home;
  port: number;
  url: string;
  release: () => Promise<void>;
}): EmbeddedPostgres {
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= o.server.stop().then(o.release);
    return stopping;
  };
  const failed = o.server.ended.then(async () => {
    if (stopping !== undefined) return new Promise<never>(() => {});
    stopping = o.release();
    await stopping;
    throw explainFailure({
      what: "ended by itself",
      directory: o.home.directory,
      port: o.port,
      output: o.server.output,
    });
  });
  failed.catch(() => {});
  return { url: o.url, port: o.port, pid: o.server.pid, home: o.home.path, stop, failed, [Symbol.asyncDispose]: stop };
}

async function removeHome(home: Home): Promise<void> {
  for (const path of new Set([home.path, home.directory])) await rm(path, { recursive: true, force: true });
}
