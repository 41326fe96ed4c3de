import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Tells one process from a later one with the same id: its start time as the system writes it. Undefined when it does not run (a zombie does not). */
export async function processIdentity(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = readStat(pid);
    // The name in parentheses may hold spaces; the fields after it start with the state (3rd), the start time is the 22nd.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
  }
  const output = await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => undefined);
  return output?.stdout.trim() || undefined;
}

/** Nothing here waits for a disk; a round through the threads that read files would take many times as long. */
function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}

/** The command line of a running process; empty when it does not run. */
export async function processCommand(pid: number): Promise<string> {
  if (process.platform === "linux") {
    const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return text.replaceAll("\0", " ");
  }
  const output = await run("ps", ["-o", "command=", "-p", String(pid)]).catch(() => undefined);
  return output?.stdout.trim() ?? "";
}
