import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { AimassError, makeFolder } from "@aimass/core";
import { createMeshIdentity } from "@aimass/identity";

/** Roles that get a key of their own in an embedded mesh. */
const roles = ["auth", "registry", "trainer", "scheduler", "inference", "router", "console", "cli-supervisor"];

/** Folders that others may pass through but not list: as root, PostgreSQL runs under another account and must reach its own. */
const passable = [".", "postgres"];

/** The folder an embedded mesh keeps everything in. Held by one supervisor at a time; dispose it to let it go. */
export interface DataDirectory extends Disposable {
  readonly path: string;
  /** A folder inside it, made when missing. */
  folder(name: string): string;
  /** The identity file of a role. */
  identityFile(role: string): string;
  readonly trustFile: string;
  /** Encrypts the auth service's signing keys at rest; made at first use, kept in a 0600 file. */
  readonly authSecretFile: string;
  readonly adminPasswordFile: string;
}

/**
 * Opens (or makes) a data directory and takes its lock.
 * Errors: FAILED_PRECONDITION when a live supervisor holds it or it cannot be written.
 */
export async function openDataDirectory(location: string): Promise<DataDirectory> {
  const path = resolve(location);
  const folder = (name: string) => {
    const full = join(path, name);
    makeFolder(full, passable.includes(name) ? 0o711 : 0o700);
    return full;
  };
  try {
    folder(".");
  } catch (error) {
    throw new AimassError(
      "FAILED_PRECONDITION",
      `The data directory ${path} cannot be made (${(error as NodeJS.ErrnoException).code}).`,
      {
        remedy: "Choose another with --data DIR.",
      },
    );
  }
  const lock = takeLock(path);
  const keys = folder("keys");
  if (!existsSync(join(keys, "trust.json"))) await createMeshIdentity(keys, roles);
  const authSecretFile = join(keys, "auth-secret");
  if (!existsSync(authSecretFile)) writeFileSync(authSecretFile, randomBytes(32).toString("hex"), { mode: 0o600 });
  return {
    path,
    folder,
    identityFile: (role) => join(keys, `${role}.identity.json`),
    trustFile: join(keys, "trust.json"),
    authSecretFile,
    adminPasswordFile: join(path, "auth", "admin-password"),
    [Symbol.dispose]: () => rmSync(lock, { force: true }),
  };
}

/** The pid of the live supervisor of a data directory, if there is one. */
export function supervisorOf(path: string): number | undefined {
  const file = join(path, "supervisor.pid");
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : Number.NaN;
  return Number.isInteger(pid) && pid !== process.pid && isSupervisor(pid) ? pid : undefined;
}

function takeLock(path: string): string {
  const holder = supervisorOf(path);
  if (holder !== undefined) {
    throw new AimassError("FAILED_PRECONDITION", `A mesh already runs on ${path} (process ${holder}).`, {
      remedy: `Use it as it is, stop it with "kill ${holder}", or start a second one with --data OTHER-DIR --port 5050.`,
    });
  }
  const file = join(path, "supervisor.pid");
  writeFileSync(file, String(process.pid));
  return file;
}

/** Whether a process lives; where /proc tells, also whether it is one of ours rather than a stranger with a reused number. */
function isSupervisor(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const commandLine = `/proc/${pid}/cmdline`;
  if (!existsSync("/proc/self/cmdline")) return true;
  return existsSync(commandLine) && readFileSync(commandLine, "utf8").includes("node");
}
