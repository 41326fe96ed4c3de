import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@aimass/core";
import type { Home } from "./home.ts";
import { directoryInUse } from "./owner-lock.ts";
import { processCommand } from "./process-identity.ts";

const pollMs = 50;
const patienceMs = 3_000;
const limitMs = 12_000;

/**
 * Deals with what an earlier server left: a postmaster.pid whose process is gone, or is now some other program, is removed; a server that still ends (its owner is
 * gone, or we would not hold the lock) is waited for, then told to end.
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
    if (!(pid > 0) || !(await servesData(pid, home.data))) break;
    const waited = clock.monotonic() - started;
    if (waited > limitMs) throw directoryInUse(home.directory, pid);
    if (waited > patienceMs && !told) told = tellToEnd(pid);
    await clock.sleep(pollMs, signal);
  }
  await rm(file, { force: true });
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
