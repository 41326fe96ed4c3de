import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

/** Removes a folder that somebody else wrote to: also folders closed to their owner, also while a process that is just being killed still writes. */
export async function removeFolder(folder: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 5, retryDelay: 100 } as const;
  try {
    await rm(folder, options);
  } catch (error) {
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    // It does not follow the links it comes across.
    await promisify(execFile)("chmod", ["--recursive", "u+rwX", folder]).catch(() => {});
    await rm(folder, options);
  }
}
