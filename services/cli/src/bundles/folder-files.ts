import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { isFileOf } from "./plain-file.ts";

/** A file below a folder. */
export interface FolderFile {
  /** Relative to the folder, with "/". */
  readonly path: string;
  /** On this machine. */
  readonly from: string;
}

/** The files below a folder in order of path, without what the system and editors leave there (.DS_Store, .git). */
export async function filesBelow(folder: string): Promise<FolderFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: FolderFile[] = [];
  for (const entry of entries) {
    const from = join(entry.parentPath, entry.name);
    const path = relative(folder, from).split(sep).join("/");
    if (path.split("/").some((segment) => segment.startsWith("."))) continue;
    if (entry.isFile() || (entry.isSymbolicLink() && (await isFileOf(folder, from)))) found.push({ path, from });
  }
  return found.sort((left, right) => (left.path < right.path ? -1 : 1));
}
