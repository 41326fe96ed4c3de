import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** A process with its command line. */
export interface ChildProcessInfo {
  readonly pid: number;
  readonly command: string;
}

/** The direct children of a process: from /proc where there is one, else from `ps`. */
export function childProcessesOf(parent: number): ChildProcessInfo[] {
  return existsSync("/proc/self/stat") ? fromProc(parent) : fromPs(parent);
}

function fromProc(parent: number): ChildProcessInfo[] {
  const children: ChildProcessInfo[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      // The command in parentheses may hold spaces: the fields after it are what counts (proc(5): state, ppid).
      const ppid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (ppid === parent)
        children.push({
          pid: Number(entry),
          command: readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " "),
        });
    } catch {
      // It ended while we looked.
    }
  }
  return children;
}

function fromPs(parent: number): ChildProcessInfo[] {
  const lines = execFileSync("ps", ["-axo", "pid=,ppid=,command="], { encoding: "utf8" }).split("\n");
  return lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match): match is RegExpExecArray => match !== null && Number(match[2]) === parent)
    .map((match) => ({ pid: Number(match[1]), command: match[3] as string }));
}
