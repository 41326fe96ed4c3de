import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sweepDrafts } from "./sweep-drafts.ts";

/** What was used within this time stays, in milliseconds: another replica of the machine may be about to load it. */
const youngMs = 3_600_000;

interface Bundle {
  readonly path: string;
  readonly bytes: number;
  readonly usedAt: number;
}

/**
 * Brings the bundles under `directory` down to `limitBytes` by removing those that were used longest ago, then removes what
 * killed processes left half-written, and blobs that no bundle refers to any more. What is in
 * use loses nothing: open files outlive their names. `now`: milliseconds since the epoch.
 *
 * @returns bytes of the bundles that are left
 */
export async function trimCache(directory: string, limitBytes: number, now: number): Promise<number> {
  const bundles = await findBundles(join(directory, "bundles"));
  let total = bundles.reduce((sum, bundle) => sum + bundle.bytes, 0);
  for (const bundle of bundles.sort((a, b) => a.usedAt - b.usedAt)) {
    if (total <= limitBytes || now - bundle.usedAt < youngMs) break;
    await rm(bundle.path, { recursive: true, force: true });
    total -= bundle.bytes;
  }
  await sweepDrafts(directory, now);
  await removeLooseBlobs(join(directory, "blobs"), now);
  return total;
}

async function findBundles(directory: string): Promise<Bundle[]> {
  const bundles: Bundle[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) bundles.push({ path, bytes: await bytesUnder(path), usedAt: found.mtimeMs });
  }
  return bundles;
}

async function bytesUnder(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}

async function removeLooseBlobs(directory: string, now: number): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    // A link count of 1 is the blob's own name; ctime is when the last bundle let go of it.
    if (found?.nlink === 1 && now - found.ctimeMs >= youngMs) await rm(path, { force: true });
  }
}
