import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, processCommand, processIdentity } from "@aimass/core";
import { directoryInUse } from "./failure.ts";
import type { Home } from "./home.ts";

const pollMs = 50;
const patienceMs = 3_000;
const limitMs = 12_000;

/**
 * Deals with what an earlier server left. A server that still runs has lost its owner (or we would not hold the lock): it is waited for, then told to end. A
 * postmaster.pid that names some other program by now is removed; one that names nothing is left to PostgreSQL, which also looks for orphaned backends.
 *
 * ### Errors
 * - `ALREADY_EXISTS` `DIRECTORY_IN_USE`: it does not end.
 */
export async function clearStaleServer(home: Home, clock: Clock, signal: AbortSignal): Promise<void> {
  const file = join(home.data, "postmaster.pid");
  const started = clock.monotonic();
  let told = false;
  while (true) {
    const pid = Number((await readFile(file, "utf8").catch(() => "")).split("\n")[0]);
    if (!(pid > 0) || (await processIdentity(pid)) === undefined) return;
    if (!(await servesData(pid, home.data))) return rm(file, { force: true });
    const waited = clock.monotonic() - started;
    if (waited > limitMs) throw directoryInUse(home.directory, pid);
    if (waited > patienceMs && !told) told = tellToEnd(pid);
    await clock.sleep(pollMs, signal);
  }
}

async function servesData(pid: number, data: string): Promise<boolean> {
  const command = await processCommand(pid);
  return command.includes("postgres") && command.includes(data);
}

function tellToEnd(pid: number): true {
  try {
    process.kill(pid, "SIGINT");
  } catch {
    // It ended by itself just now.
  }
  return true;
}
