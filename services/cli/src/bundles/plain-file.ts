import { realpath, stat } from "node:fs/promises";
import { basename, dirname, sep } from "node:path";

/**
 * Whether a path is a file that belongs to the folder: a plain one, or a link to one inside the folder. The one exception is a cache of Hugging Face, whose snapshots
 * are links to `blobs` of the same repository. Other links are not followed: what they name was not meant to leave this machine.
 */
export async function isFileOf(folder: string, path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) return false;
  const [root, target] = [await realpath(folder), await realpath(path)];
  return target.startsWith(root.endsWith(sep) ? root : root + sep) || isBlobOf(root, target);
}

function isBlobOf(root: string, target: string): boolean {
  const blobs = dirname(target);
  const repository = dirname(blobs);
  return (
    basename(blobs) === "blobs" && basename(repository).startsWith("models--") && root.startsWith(repository + sep)
  );
}
