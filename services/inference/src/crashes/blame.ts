import { readFileSync } from "node:fs";
import type { VersionName } from "../servables/version-name.ts";
import type { CrashNote } from "./crash-note.ts";

/** How a process died, as far as whoever started it can tell. */
export interface ProcessDeath {
  readonly signal: NodeJS.Signals | null;
  /** `oomKills()` when it was started, and now. */
  readonly oomKillsBefore: number;
  readonly oomKillsAfter: number;
}

/**
 * The versions that may have brought a process down. Nobody blames what ran when somebody sent SIGKILL from outside: only where the process named a culprit before it
 * killed itself, or the kernel killed for want of memory.
 */
export function blamedVersions(note: CrashNote | undefined, death: ProcessDeath): readonly VersionName[] {
  if (note === undefined) return [];
  const isKilledFromOutside =
    death.signal === "SIGKILL" && note.culprit === undefined && death.oomKillsAfter === death.oomKillsBefore;
  return isKilledFromOutside ? [] : note.running;
}

/** How often this machine's kernel killed a process for want of memory since it started; 0 where it does not say. */
export function oomKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
