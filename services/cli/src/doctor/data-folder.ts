import { access, constants, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { existingFolder } from "./existing-folder.ts";
import { type Finding, ok, problem } from "./finding.ts";

const check = "data directory";

/** Whether a mesh can keep its things in a data directory, there or not yet, and whether its secrets are its owner's alone. Leaves nothing behind. */
export async function checkDataDirectory(directory: string): Promise<Finding> {
  const folder = await existingFolder(directory);
  const refusal = await tryToWrite(folder);
  if (refusal !== undefined) {
    const where = folder === directory ? `${directory} cannot be written` : `${directory} cannot be made in ${folder}`;
    return problem(
      check,
      `${where} (${refusal}).`,
      "Give this user the right to write there, or choose another with --data DIR.",
    );
  }
  if (folder !== directory) return ok(check, `${directory} is not there yet and can be made.`);
  return (await foreignThing(directory)) ?? (await openSecret(directory)) ?? ok(check, `${directory} can be written.`);
}

/** The code of what goes wrong; undefined when it goes well. */
async function tryToWrite(folder: string): Promise<string | undefined> {
  try {
    const made = await mkdtemp(join(folder, ".aimass-doctor-"));
    try {
      await writeFile(join(made, "probe"), "probe");
    } finally {
      await rm(made, { recursive: true, force: true });
    }
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** What an earlier start under another account left behind. */
async function foreignThing(directory: string): Promise<Finding | undefined> {
  for (const path of await pathsIn(directory)) {
    const { R_OK, W_OK } = constants;
    const refusal = await access(path, R_OK | W_OK).catch((error: NodeJS.ErrnoException) => error.code ?? "");
    if (refusal === undefined) continue;
    const { uid } = await stat(path);
    const remedy = `Start the mesh as the user that made it, or as root: chown -R ${process.getuid?.()} ${directory}`;
    return problem(check, `${path} belongs to user ${uid} and cannot be read and written (${refusal}).`, remedy);
  }
  return undefined;
}

/** A key or password that others may read. */
async function openSecret(directory: string): Promise<Finding | undefined> {
  for (const path of await pathsIn(directory)) {
    if (!/\/keys\/(.*\.identity\.json|auth-secret)$|\/auth\/admin-password[^/]*$/.test(path)) continue;
    const { mode } = await stat(path);
    if ((mode & 0o077) === 0) continue;
    return problem(
      check,
      `${path} is a secret, and others may read it (mode ${(mode & 0o777).toString(8)}).`,
      `chmod 600 ${path}; where somebody else may have read it, start with new keys.`,
    );
  }
  return undefined;
}

/** The directory's own entries and what is in `keys` and `auth`; of PostgreSQL's folder, which may be another account's, nothing. */
async function pathsIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name !== "postgres");
  const within = ["keys", "auth"].filter((name) => names.includes(name));
  const inside = within.map(async (folder) =>
    (await readdir(join(directory, folder)).catch(() => [])).map((name) => join(folder, name)),
  );
  return [...names, ...(await Promise.all(inside)).flat()].map((name) => join(directory, name));
}
