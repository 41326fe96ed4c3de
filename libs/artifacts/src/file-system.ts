import { open } from "node:fs/promises";
import { noRoom } from "./errors.ts";

/** What a file system says when it takes no more: full, over quota, over the size a file may have. */
const fullCodes: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** RESOURCE_EXHAUSTED for an error that means a full disk; any other error as it is. */
export function asNoRoom(error: unknown): unknown {
  return fullCodes.has((error as NodeJS.ErrnoException).code) ? noRoom(error) : error;
}

/** Whether the error says that a file does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
