import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  AimassError,
  makeFolder,
  type ProcessLock,
  processCommand,
  processLockHolder,
  takeProcessLock,
} from "@aimass/core";
import { hasDatabase } from "@aimass/embedded";
import {
  createMeshIdentity,
  createNodeIdentity,
  meshRoles,
  nodeIdentityFile,
  nodeRole,
  revokeNodeIdentity,
} from "@aimass/identity";

/** The name of this machine in an embedded mesh. */
export const localNode = "local";

/** Says which process holds the directory. */
const lockName = "supervisor.pid";

/** Folders that others may pass through but not list: as root, PostgreSQL runs under another account and must reach its own. */
const passable = [".", "postgres"];

/** The folder an embedded mesh keeps everything in. Held by one supervisor at a time; dispose it to let it go. */
export interface DataDirectory extends AsyncDisposable {
  readonly path: string;
  /** A folder inside it, made when missing. */
  folder(name: string): string;
  /** The identity file of a role. */
  identityFile(role: string): string;
  readonly trustFile: string;
  /** Says which process is the supervisor; replicas that outlive their agent watch it. */
  readonly lockFile: string;
  /** Encrypts the auth service's signing keys at rest; made at first use, kept in a 0600 file. */
  readonly authSecretFile: string;
  /** Where the administrator's newest password was written, or will be. */
  readonly adminPasswordFile: string;
}

/** Where a data directory is that somebody named: relative names are those of the folder in which npm was called. */
export function dataPath(location: string): string {
  return resolve(process.env.INIT_CWD ?? ".", location);
}

/** Throws FAILED_PRECONDITION, and makes nothing, where there is no installation with an embedded database. */
export async function assertInstallation(location: string): Promise<void> {
  assertKeys(location);
  if (!(await hasDatabase(join(dataPath(location), "postgres")))) throw noMesh(location);
}

/** The same of an installation with whatever database. */
export function assertKeys(location: string): void {
  if (!existsSync(join(dataPath(location), "keys", "trust.json"))) throw noMesh(location);
}

function noMesh(location: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `There is no mesh in ${dataPath(location)}.`, {
    remedy: "Name its folder with --data DIR, as it was started with.",
  });
}

/**
 * Opens (or makes) a data directory and takes its lock.
 * Errors: FAILED_PRECONDITION when a live supervisor holds it or it cannot be written.
 */
export async function openDataDirectory(location: string): Promise<DataDirectory> {
  const path = dataPath(location);
  const folder = (name: string) => {
    const full = join(path, name);
    makeFolder(full, passable.includes(name) ? 0o711 : 0o700);
    return full;
  };
  try {
    folder(".");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw error;
    throw new AimassError(
      "FAILED_PRECONDITION",
      `The data directory ${path} cannot be made (${(error as NodeJS.ErrnoException).code}).`,
      {
        remedy: "Choose another with --data DIR.",
      },
    );
  }
  const lock = await takeLock(path);
  const keys = folder("keys");
  await prepareKeys(keys);
  const authSecretFile = join(keys, "auth-secret");
  if (!existsSync(authSecretFile)) writeFileSync(authSecretFile, randomBytes(32).toString("hex"), { mode: 0o600 });
  return {
    path,
    folder,
    identityFile: (role) =>
      role === nodeRole ? nodeIdentityFile(keys, localNode) : join(keys, `${role}.identity.json`),
    trustFile: join(keys, "trust.json"),
    lockFile: join(path, lockName),
    authSecretFile,
    get adminPasswordFile() {
      return newestPasswordFile(join(path, "auth"));
    },
    [Symbol.asyncDispose]: () => lock.release(),
  };
}

/** A key for each role, and one for this machine, which takes the place of the one that earlier versions gave to all machines. */
async function prepareKeys(keys: string): Promise<void> {
  if (!existsSync(join(keys, "trust.json"))) await createMeshIdentity(keys, meshRoles);
  if (existsSync(nodeIdentityFile(keys, localNode))) return;
  // Last comes what a start that broke off looks for.
  await revokeNodeIdentity(keys);
  await createNodeIdentity(keys, localNode);
}

/** The pid of the live supervisor of a data directory, if there is one. */
export async function supervisorOf(path: string): Promise<number | undefined> {
  const file = join(path, lockName);
  const pid = (await processLockHolder(file)) ?? (await supervisorOfOld(file));
  return pid === process.pid ? undefined : pid;
}

async function takeLock(path: string): Promise<ProcessLock> {
  const file = join(path, lockName);
  const old = await supervisorOfOld(file);
  const result = old === undefined ? await takeProcessLock(file) : ({ kind: "held", pid: old } as const);
  if (result.kind === "taken") return result.lock;
  const { pid } = result;
  const command = pid === undefined ? "" : (await processCommand(pid)).trim().replace(/^.*main\.ts\b/, "aimass");
  throw new AimassError(
    "FAILED_PRECONDITION",
    `A mesh already runs on ${path} (${pid === undefined ? "another process" : `process ${pid}: ${command}`}).`,
    {
      remedy: `Use it as it is, stop it${pid === undefined ? "" : ` with "kill ${pid}"`}, or start a second one with --data OTHER-DIR --port 5050.`,
    },
  );
}

/** Earlier versions wrote their process id alone: it counts only while a process of that number runs our command. */
async function supervisorOfOld(file: string): Promise<number | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  if (!/^\d+$/.test(text.trim())) return undefined;
  const command = await processCommand(Number(text));
  return /main\.ts.*\b(up|demo)\b/.test(command) ? Number(text) : undefined;
}

/** The newest of the files `admin-password`, `admin-password-2`, …: each new password has a file of its own, none is written over. */
function newestPasswordFile(folder: string): string {
  const numbered = existsSync(folder)
    ? readdirSync(folder).map((name) => /^admin-password(?:-(\d+))?$/.exec(name))
    : [];
  const newest = Math.max(1, ...numbered.map((match) => (match === null ? 1 : Number(match[1] ?? 1))));
  return join(folder, newest === 1 ? "admin-password" : `admin-password-${newest}`);
}
