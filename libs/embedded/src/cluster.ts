import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AimassError, abortError } from "@aimass/core";
import type { Account } from "./account.ts";
import { explainFailure, wrongVersion } from "./failure.ts";
import type { Home } from "./home.ts";
import type { Installation } from "./installation.ts";

/** The database superuser; its password is in the home's password file. */
export const superuser = "aimass";

const majorVersion = "18";

export interface ClusterOptions {
  readonly home: Home;
  readonly installation: Installation;
  readonly account: Account;
  /** False leaves out every fsync. */
  readonly durable: boolean;
  readonly signal: AbortSignal;
}

/**
 * Makes the cluster unless it exists, and returns the superuser's password. initdb works in a directory beside the real one, which is renamed when it is whole:
 * an interrupted run leaves nothing that could be taken for a cluster.
 */
export async function prepareCluster(options: ClusterOptions): Promise<string> {
  const { home } = options;
  await removePartials(home);
  const version = await readFile(join(home.data, "PG_VERSION"), "utf8").catch(() => undefined);
  if (version !== undefined) {
    if (version.trim() !== majorVersion) throw wrongVersion(home.directory, version.trim());
    return readPassword(home);
  }
  await refuseForeignData(home);
  const partial = `${home.data}.partial-${randomBytes(4).toString("hex")}`;
  const password = randomBytes(24).toString("hex");
  await createCluster(options, partial, password);
  await writeFile(home.passwordFile, `${password}\n`, { mode: 0o600 });
  await rename(partial, home.data);
  if (options.durable) await syncDirectory(dirname(home.data));
  return password;
}

/** What interrupted runs left. An initdb whose starter died may still write to its own; it has a name of its own for that reason. */
async function removePartials(home: Home): Promise<void> {
  for (const name of await readdir(home.path)) {
    if (name.startsWith(`${basename(home.data)}.partial`)) {
      await rm(join(home.path, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    }
  }
}

async function createCluster(options: ClusterOptions, data: string, password: string): Promise<void> {
  const { account, home } = options;
  await mkdir(data, { mode: 0o700 });
  const passwordFile = `${data}.password`;
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, password, { mode: 0o600, flag: "wx" });
  try {
    if (account.lent !== undefined) {
      for (const path of [data, passwordFile]) await chown(path, account.lent.uid, account.lent.gid);
    }
    await runInitdb(options, data, passwordFile);
  } catch (error) {
    await rm(data, { recursive: true, force: true }).catch(() => {});
    if (error instanceof AimassError || options.signal.aborted) throw error;
    const output = String((error as Error).message);
    throw explainFailure({ what: "could not make its database", directory: home.directory, output }, error);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function runInitdb(options: ClusterOptions, data: string, passwordFile: string): Promise<void> {
  const { home, installation, account, durable, signal } = options;
  const settings = ["-U", superuser, `--pwfile=${passwordFile}`, "--auth=scram-sha-256", "--locale=C", "-E", "UTF8"];
  const child = spawn(installation.initdb, ["-D", data, ...settings, ...(durable ? [] : ["--no-sync"])], {
    ...account.lent,
    cwd: home.path,
    env: installation.env,
    // A process group of its own, so that a cancelled start can end initdb together with the servers it runs.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const kill = () => child.pid !== undefined && process.kill(-child.pid, "SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  }).finally(() => signal.removeEventListener("abort", kill));
  if (signal.aborted) throw abortError(signal);
  if (status !== 0) {
    throw explainFailure({
      what: `could not make its database (initdb ended with ${status})`,
      directory: home.directory,
      output,
    });
  }
}

async function readPassword(home: Home): Promise<string> {
  const text = await readFile(home.passwordFile, "utf8").catch(() => "");
  if (text.trim() !== "") return text.trim();
  throw new AimassError("FAILED_PRECONDITION", `The password file ${home.passwordFile} of the database is missing.`, {
    reason: "PASSWORD_MISSING",
    remedy: "Put the file back from a backup, or choose another data directory.",
  });
}

/** A data directory without PG_VERSION is not ours to overwrite. */
async function refuseForeignData(home: Home): Promise<void> {
  if ((await stat(home.data).catch(() => undefined)) === undefined) return;
  throw new AimassError("FAILED_PRECONDITION", `${home.data} exists and is not a PostgreSQL database.`, {
    reason: "DATA_FOREIGN",
    remedy: "Move it away, or choose another data directory.",
  });
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
