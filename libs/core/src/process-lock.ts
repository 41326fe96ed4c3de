import { randomUUID } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { processIdentity } from "./process-identity.ts";

/** Held while this process owns what a lock file stands for. */
export interface ProcessLock {
  release(): Promise<void>;
}

/** A lock that was taken, or the process that holds it; undefined when it changes hands too fast to say. */
export type ProcessLockResult =
  | { readonly kind: "taken"; readonly lock: ProcessLock }
  | { readonly kind: "held"; readonly pid: number | undefined };

const tries = 5;

/**
 * Takes a lock file for this process: made exclusively, with the process id and what tells this process from a later one with the same id. The file of a process
 * that is gone is taken over.
 */
export async function takeProcessLock(file: string): Promise<ProcessLockResult> {
  const content = `${process.pid} ${(await processIdentity(process.pid)) ?? ""} ${randomUUID()}\n`;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    if (await createExclusively(file, content)) {
      const release = async () => {
        if ((await readText(file)) === content) await rm(file, { force: true });
      };
      return { kind: "taken", lock: { release } };
    }
    const holder = await readText(file);
    const pid = await liveHolder(holder);
    if (pid !== undefined) return { kind: "held", pid };
    if ((await readText(file)) === holder) await rm(file, { force: true });
  }
  return { kind: "held", pid: undefined };
}

/** The live process that holds a lock file, this one included. */
export async function processLockHolder(file: string): Promise<number | undefined> {
  return liveHolder(await readText(file));
}

async function liveHolder(content: string): Promise<number | undefined> {
  const [pid, identity] = content.trim().split(" ");
  if (identity === undefined || (await processIdentity(Number(pid))) !== identity) return undefined;
  return Number(pid);
}

async function createExclusively(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: "wx", mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    // A full disk makes the name and not the content: that would be nobody's.
    await rm(file, { force: true });
    throw error;
  }
}

function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}
