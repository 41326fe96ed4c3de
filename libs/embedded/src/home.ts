import { createHash, randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AimassError } from "@aimass/core";
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

/** In the named directory: the path of the place that stands in for it. */
const pointerName = "location";
/** In that place: the directory it stands in for. */
const ownerName = "belongs-to";

/**
 * Finds or makes the home of a server. A directory that only root can enter gets a stand-in under /var/lib/aimass, which the file `location` in it names
 * from then on, whatever modes the directories have later: renaming the directory keeps its database, a new directory starts with a new one.
 *
 * ### Errors
 * Where data are or were, no second database is begun.
 * - `FAILED_PRECONDITION` `DATA_MISSING`: what `location` names is not there. - `DATA_TWICE`: data there and here.
 * - `FAILED_PRECONDITION` `DIRECTORY_CLOSED`: the directory holds data, and the server's account cannot enter it any more.
 */
export async function openHome(directory: string, account: Account, shared = sharedStateDirectory): Promise<Home> {
  const named = resolve(directory);
  await mkdir(named, { recursive: true, mode: account.lent === undefined ? 0o700 : 0o711 });
  const known = await knownHome(named);
  if (known !== undefined) return homeAt(named, known);
  const real = await realpath(named);
  const closed = await closedDirectory(real, account);
  if (closed === undefined) return homeAt(named, real);
  if (await hasCluster(real)) throw closedAfterwards(named, closed);
  return homeAt(named, await standIn(real, shared));
}

/** Whether there is a database for this directory, in it or where its `location` says. Makes nothing. Errors: as `openHome`. */
export async function hasDatabase(directory: string): Promise<boolean> {
  const named = resolve(directory);
  return hasCluster((await knownHome(named)) ?? named);
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

/** Where the directory's data are, or the directory itself, when that is known; undefined for a directory without a past. */
async function knownHome(directory: string): Promise<string | undefined> {
  const place = (await textOf(join(directory, pointerName)))?.trim() ?? "";
  if (place === "") return undefined;
  // A stand-in that an interrupted first start left has no data yet, but says whose it is.
  const isThere = (await hasCluster(place)) || (await textOf(join(place, ownerName))) !== undefined;
  if (!isThere) throw dataMissing(directory, place);
  if (await hasCluster(directory)) throw dataTwice(directory, place);
  return place;
}

async function standIn(directory: string, shared: string): Promise<string> {
  const name = `${createHash("sha256").update(directory).digest("hex").slice(0, 12)}-${randomBytes(4).toString("hex")}`;
  const path = join(shared, name);
  await mkdir(path, { recursive: true });
  // The umask may have closed what mkdir made.
  await chmod(dirname(path), 0o755);
  await chmod(path, 0o711);
  // For whoever finds it after the directory was removed: nothing here is needed any more then.
  await writeFile(join(path, ownerName), `${directory}\n`, { mode: 0o600 });
  await writeFile(join(directory, pointerName), `${path}\n`, { mode: 0o600 });
  return path;
}

async function hasCluster(path: string): Promise<boolean> {
  return (await stat(join(path, "data", "PG_VERSION")).catch(onlyMissing)) !== undefined;
}

function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(onlyMissing);
}

/** What cannot be read is not taken for what is not there. */
function onlyMissing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
}

function dataMissing(directory: string, place: string): AimassError {
  return new AimassError(
    "FAILED_PRECONDITION",
    `The database of ${directory} is kept in ${place}, and there is none any more.`,
    {
      reason: "DATA_MISSING",
      remedy: `Put ${place} back from a backup. To begin with an empty database, remove ${join(directory, pointerName)}.`,
    },
  );
}

function dataTwice(directory: string, place: string): AimassError {
  return new AimassError(
    "FAILED_PRECONDITION",
    `There are two databases for ${directory}: one in ${place}, as its file "${pointerName}" says, and one in it.`,
    {
      reason: "DATA_TWICE",
      remedy: `Move ${join(directory, "data")} away to go on with the former, or ${join(directory, pointerName)} to go on with the latter.`,
    },
  );
}

function closedAfterwards(directory: string, closed: string): AimassError {
  return new AimassError(
    "FAILED_PRECONDITION",
    `The database is in ${directory}, and PostgreSQL's account cannot enter ${closed} any more.`,
    {
      reason: "DIRECTORY_CLOSED",
      remedy: `Let others pass through it again: chmod o+x ${closed}`,
    },
  );
}
