import { readdirSync, readFileSync } from "node:fs";

/** A process as Linux shows it (proc_pid_stat(5)). */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** It has ended, and only its number is left. */
  readonly isZombie: boolean;
  readonly threads: number;
  /** Ticks since boot; with the pid it names a process for good. */
  readonly startTime: number;
}

/** Every process of this machine, or of this container. */
export function readProcesses(): readonly ProcessEntry[] {
  return readdirSync("/proc").flatMap((name) => {
    const entry = /^\d+$/.test(name) ? readProcess(Number(name)) : undefined;
    return entry === undefined ? [] : [entry];
  });
}

/** One process; undefined when it is gone. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Parses the content of /proc/PID/stat. The name in it may hold spaces and brackets. */
export function parseStat(text: string): ProcessEntry | undefined {
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
  const [state, parent, group, session] = fields;
  const [threads, startTime] = [fields[17], fields[19]];
  if (startTime === undefined) return undefined;
  return {
    pid: Number.parseInt(text, 10),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    isZombie: state === "Z" || state === "X",
    threads: Number(threads),
    startTime: Number(startTime),
  };
}

/** A process and all that descend from it. */
export function descendants(
  table: readonly ProcessEntry[],
  isRoot: (entry: ProcessEntry) => boolean,
): readonly ProcessEntry[] {
  const children = Map.groupBy(table, (entry) => entry.parent);
  const found = new Map<number, ProcessEntry>();
  const open = table.filter(isRoot);
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    if (found.has(entry.pid)) continue;
    found.set(entry.pid, entry);
    open.push(...(children.get(entry.pid) ?? []));
  }
  return [...found.values()];
}

/** A file of /proc; undefined when its process is gone or not ours to look at. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
