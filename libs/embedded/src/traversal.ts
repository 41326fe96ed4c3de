import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Account } from "./account.ts";

/** Mode bits that let everybody enter a directory, and read a file. */
const othersEnter = 0o001;
const othersRead = 0o004;

/** The first directory on the way to `path` (itself included) that the account cannot enter; undefined when the way is free. */
export async function closedDirectory(path: string, account: Account): Promise<string | undefined> {
  if (account.lent === undefined) return undefined;
  for (let step = path; ; step = dirname(step)) {
    const { mode, uid } = await stat(step);
    const enters = uid === account.uid ? (mode & 0o100) !== 0 : (mode & othersEnter) !== 0;
    if (!enters) return step;
    if (step === dirname(step)) return undefined;
  }
}

/** True when the account can read the file. */
export async function canRead(file: string, account: Account): Promise<boolean> {
  if (account.lent === undefined) return true;
  return ((await stat(file)).mode & othersRead) !== 0 && (await closedDirectory(dirname(file), account)) === undefined;
}
