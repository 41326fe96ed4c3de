import { randomUUID } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { AimassError } from "@aimass/core";
import { processIdentity } from "./process-identity.ts";

/** Held while this process owns a directory. */
export interface OwnerLock {
  release(): Promise<void>;
}

/**
 * Takes a lock file for this process. The file of a process that is gone is taken over.
 *
 * ### Errors
 * - `ALREADY_EXISTS` `DIRECTORY_IN_USE`: another process (or another start in this one) holds it.
 */
export async function takeOwnerLock(file: string, directory: string): Promise<OwnerLock> {
  const content = `${process.pid} ${(await processIdentity(process.pid)) ?? ""} ${randomUUID()}\n`;
  for (let attempt = 0; attempt < 5; attempt++) {
    if (await createExclusively(file, content)) {
      return {
        release: async () => {
          if ((await readText(file)) === content) await rm(file, { force: true });
        },
      };
    }
    const holder = await readText(file);
    const [pid, identity] = holder.trim().split(" ");
    if (holder !== "" && identity !== undefined && (await processIdentity(Number(pid))) === identity) {
      throw directoryInUse(directory, Number(pid));
    }
    if ((await readText(file)) === holder) await rm(file, { force: true });
  }
  throw directoryInUse(directory);
}

/** The refusal of a second start. */
export function directoryInUse(directory: string, pid?: number): AimassError {
  const by = pid === undefined ? "another process" : `process ${pid}`;
  return new AimassError("ALREADY_EXISTS", `The data directory ${directory} is already in use by ${by}.`, {
    reason: "DIRECTORY_IN_USE",
    remedy: "Stop that one first, or choose another data directory.",
  });
}

async function createExclusively(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: "wx", mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}
