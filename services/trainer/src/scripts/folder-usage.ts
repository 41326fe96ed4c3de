import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

/** What lies in folders. */
export interface FolderUsage {
  /** On the disk, so that a file with holes counts what it takes. */
  readonly bytes: number;
  /** Files and folders. */
  readonly entries: number;
  readonly largestFile: number;
  /** Whether a folder could not be looked into. */
  readonly isHidden: boolean;
}

/** A script that makes more than this many files is told that its disk is full. */
export const mostEntries = 200_000;

/** Adds up folders that somebody else is writing to. Stops counting soon after `enough` bytes. */
export async function folderUsage(folders: readonly string[], enough: number): Promise<FolderUsage> {
  const usage = { bytes: 0, entries: 0, largestFile: 0, isHidden: false };
  const open = [...folders];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const names = await namesIn(folder);
    usage.isHidden ||= names === undefined;
    for (const name of names ?? []) {
      const path = join(folder, name);
      const stat = await lstat(path).catch(() => undefined);
      if (stat === undefined) continue;
      usage.entries += 1;
      usage.bytes += stat.blocks * 512;
      if (stat.isFile()) usage.largestFile = Math.max(usage.largestFile, stat.size);
      if (stat.isDirectory()) open.push(path);
      if (usage.bytes > enough || usage.entries > mostEntries) return usage;
    }
  }
  return usage;
}

/** Undefined for a folder that its owner closed. It is not opened again: it may be a link elsewhere by then. */
async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await listed(folder);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? undefined : [];
  }
}

async function listed(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of await opendir(folder)) {
    names.push(entry.name);
    if (names.length > mostEntries) break;
  }
  return names;
}
