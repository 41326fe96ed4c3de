import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isLeft } from "./draft-name.ts";

/** Ends the name of a blob that is being fetched: `<sha256>.<draft name>.part`. */
export const partSuffix = ".part";

/**
 * Removes what processes that were killed left half-written in the cache under `directory`: drafts of bundles, whose hard links would keep their blobs for ever, and parts
 * of blobs. What a living process writes stays. `now`: milliseconds since the epoch.
 */
export async function sweepDrafts(directory: string, now: number): Promise<void> {
  const drafts = join(directory, "drafts");
  for (const name of await readdir(drafts).catch(() => [])) await removeLeft(join(drafts, name), name, now);
  const blobs = join(directory, "blobs");
  for (const name of await readdir(blobs).catch(() => [])) {
    if (!name.endsWith(partSuffix)) continue;
    await removeLeft(join(blobs, name), name.slice(name.indexOf(".") + 1, -partSuffix.length), now);
  }
}

async function removeLeft(path: string, name: string, now: number): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && isLeft(name, found.mtimeMs, now)) await rm(path, { recursive: true, force: true });
}
