import { createHash, randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Account } from "./account.ts";
import { closedDirectory } from "./traversal.ts";

/** Where one server keeps its state. */
export interface Home {
  /** As the caller named it, absolute. */
  readonly directory: string;
  /** The same, or the place that stands in for a directory the server's account cannot enter. */
  readonly path: string;
  /** The cluster (PGDATA). */
  readonly data: string;
  readonly passwordFile: string;
  readonly portFile: string;
  readonly lockFile: string;
}

/** Where homes go when the named directory is closed to the server's account. Everybody can enter it; only root writes to it. */
const sharedStateDirectory = "/var/lib/aimass";

/**
 * Finds or makes the home of a server. A directory that only root can enter gets a stand-in under /var/lib/aimass, which the file `location` in it names
 * from then on: renaming the directory keeps its database, a new directory starts with a new one.
 */
export async function openHome(directory: string, account: Account, shared = sharedStateDirectory): Promise<Home> {
  const named = resolve(directory);
  await mkdir(named, { recursive: true, mode: account.lent === undefined ? 0o700 : 0o711 });
  const real = await realpath(named);
  const open = (await closedDirectory(real, account)) === undefined;
  return homeAt(named, open ? real : await standIn(real, shared));
}

/** Gives the home itself to the server's account, so that the account can remove all of it. */
export async function giveHome(home: Home, account: Account): Promise<void> {
  if (account.lent !== undefined) await chown(home.path, account.lent.uid, account.lent.gid);
}

function homeAt(directory: string, path: string): Home {
  return {
    directory,
    path,
    data: join(path, "data"),
    passwordFile: join(path, "password"),
    portFile: join(path, "port"),
    lockFile: join(path, "owner.lock"),
  };
}

async function standIn(directory: string, shared: string): Promise<string> {
  const pointer = join(directory, "location");
  const known = (await readFile(pointer, "utf8").catch(() => "")).trim();
  if (known !== "") {
    await mkdir(known, { recursive: true });
    return known;
  }
  const name = `${createHash("sha256").update(directory).digest("hex").slice(0, 12)}-${randomBytes(4).toString("hex")}`;
  const path = join(shared, name);
  await mkdir(path, { recursive: true });
  // The umask may have closed what mkdir made.
  await chmod(dirname(path), 0o755);
  await chmod(path, 0o711);
  // For whoever finds it after the directory was removed: nothing here is needed any more then.
  await writeFile(join(path, "belongs-to"), `${directory}\n`, { mode: 0o600 });
  await writeFile(pointer, `${path}\n`, { mode: 0o600 });
  return path;
}
