import { statfs } from "node:fs/promises";
import type { Clock } from "@aimass/core";
import { folderUsage, mostEntries } from "./folder-usage.ts";
import { type ProcessEntry, readProcesses } from "./process-table.ts";
import { heldBytes, usedMemory } from "./process-usage.ts";
import type { ScriptLimit, ScriptLimits } from "./script-run.ts";

export interface WatchOptions {
  readonly limits: ScriptLimits;
  /** What the script writes to. */
  readonly folders: readonly string[];
  /** Which of all processes are the script's. */
  readonly own: (table: readonly ProcessEntry[]) => readonly ProcessEntry[];
  readonly onLimit: (limit: ScriptLimit, reason: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const lookEveryMs = 100;
const diskEveryMs = 250;
/** Looking may take this share of the time at most. */
const workShare = 0.1;
/** Below this the machine's disk counts as full, so that there is room left to say so. */
const diskReserveBytes = 32 * 1024 * 1024;

/** Why a script was ended that did nothing wrong. */
export const machineIsFull = "The disk of the machine that runs the script is full.";

/** Looks at a script's processes and folders until the signal aborts, and tells when they are past their limits. */
export async function watchScript(options: WatchOptions): Promise<void> {
  await Promise.all([
    repeat(options, lookEveryMs, () => Promise.resolve(checkProcesses(options))),
    repeat(options, diskEveryMs, () => checkDisk(options)),
  ]);
}

/** The sentence of a disk limit that was passed, if it was. */
export async function diskProblem(
  limits: ScriptLimits,
  folders: readonly string[],
  held = 0,
): Promise<string | undefined> {
  const usage = await folderUsage(folders, limits.diskBytes);
  const most = formatBytes(limits.diskBytes);
  if (usage.bytes + held > limits.diskBytes) return `The script wrote more than the ${most} it may.`;
  if (usage.largestFile >= limits.diskBytes) return `The script wrote a file of the ${most} it may write in all.`;
  if (usage.entries > mostEntries) return `The script made more than ${mostEntries} files.`;
  if (usage.isHidden) return "The script closed a folder, so that what it writes there cannot be counted.";
  // Without isolation a script may remove the folder itself.
  const disk = await statfs(folders[0] as string).catch(() => undefined);
  return disk !== undefined && disk.bavail * disk.bsize < diskReserveBytes ? machineIsFull : undefined;
}

function checkProcesses({ own, limits, onLimit }: WatchOptions): void {
  const processes = own(readProcesses()).filter((entry) => !entry.isZombie);
  const threads = processes.reduce((sum, entry) => sum + entry.threads, 0);
  if (threads >= limits.processes) {
    onLimit("processes", `The script started more than the ${limits.processes} processes and threads it may.`);
  }
  if (usedMemory(processes, limits.memoryBytes) > limits.memoryBytes) {
    onLimit("memory", `The script used more than the ${formatBytes(limits.memoryBytes)} of memory it may.`);
  }
}

async function checkDisk({ own, limits, folders, onLimit }: WatchOptions): Promise<void> {
  const problem = await diskProblem(limits, folders, heldBytes(own(readProcesses())).disk);
  if (problem !== undefined) onLimit("disk", problem);
}

async function repeat({ clock, signal }: WatchOptions, everyMs: number, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    const started = clock.monotonic();
    await look();
    const took = clock.monotonic() - started;
    await clock.sleep(Math.max(everyMs, took / workShare), signal).catch(() => {});
  }
}

/** "512 MiB". */
function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`;
}
