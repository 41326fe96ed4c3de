import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Account } from "./account.ts";
import type { PlatformPackage } from "./platform-package.ts";
import { canRead } from "./traversal.ts";

/** Binaries that the server's account can run. */
export interface Installation {
  readonly initdb: string;
  readonly postgres: string;
  /** Environment for both. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes the package runnable: in place when the account can read it and its library links can be made, else from a copy under `copies`
 * (60 MB, made once per version).
 */
export async function prepareInstallation(
  source: PlatformPackage,
  account: Account,
  copies: string,
): Promise<Installation> {
  if ((await isReadable(source.native, account)) && (await completeInPlace(source.native))) {
    return installationAt(source.native);
  }
  return installationAt(await copyOnce(source, copies));
}

function installationAt(native: string): Installation {
  const library = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
  return {
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    env: { LC_ALL: "C", TZ: "UTC", PATH: process.env.PATH ?? "/usr/bin:/bin", [library]: join(native, "lib") },
  };
}

async function isReadable(native: string, account: Account): Promise<boolean> {
  const samples = [join("bin", "postgres"), join("share", "postgresql", "postgres.bki")];
  const answers = await Promise.all(samples.map((sample) => canRead(join(native, sample), account)));
  return answers.every(Boolean);
}

/** Adds links and execute bits that the package's install script would have added; false when the folder cannot be written. */
async function completeInPlace(native: string): Promise<boolean> {
  try {
    await completeFiles(native);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") return false;
    throw error;
  }
}

async function completeFiles(native: string): Promise<void> {
  for (const { target, name } of await readLinks(native)) {
    if ((await lstat(target).catch(() => undefined)) !== undefined) continue;
    await symlink(name, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  for (const binary of await readdir(join(native, "bin"))) {
    const file = join(native, "bin", binary);
    if (((await stat(file)).mode & 0o111) !== 0o111) await chmod(file, 0o755);
  }
}

/** npm packages carry no links; the package lists those its libraries need, with paths from its root. */
async function readLinks(native: string): Promise<{ target: string; name: string }[]> {
  const text = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = JSON.parse(text) as { source: string; target: string }[];
  return links.map(({ source, target }) => ({ target: join(native, "..", target), name: basename(source) }));
}

async function copyOnce(source: PlatformPackage, copies: string): Promise<string> {
  const target = join(copies, `postgresql-${source.version}`);
  const native = join(target, "native");
  if ((await stat(native).catch(() => undefined)) !== undefined) return native;
  await removeOldCopies(copies);
  const partial = `${target}.partial`;
  await mkdir(partial, { recursive: true });
  await cp(source.native, join(partial, "native"), { recursive: true, verbatimSymlinks: true });
  await completeFiles(join(partial, "native"));
  await openForAll(partial);
  await rename(partial, target);
  return native;
}

async function removeOldCopies(copies: string): Promise<void> {
  for (const name of await readdir(copies)) {
    if (name.startsWith("postgresql-")) await rm(join(copies, name), { recursive: true, force: true });
  }
}

/** A strict umask at install time must not carry over: other accounts run the copy. */
async function openForAll(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const executable = entry.isDirectory() || basename(dirname(path)) === "bin";
    await chmod(path, executable ? 0o755 : 0o644);
  }
}
