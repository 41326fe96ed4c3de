import { readdirSync, readlinkSync, type Stats, statSync } from "node:fs";
import { type ProcessEntry, readText } from "./process-table.ts";

/** Memory and nameless files that processes hold. */
export interface HeldBytes {
  /** Of files in memory (memfd_create(2)). */
  readonly memory: number;
  /** Of files that are deleted and still open. */
  readonly disk: number;
}

/**
 * Memory that processes use: what is resident of their own and of shared memory, and files in memory; neither code nor mapped files. What they share counts
 * once when the sum is over `limit`; below it may count more often, because shares are dear to find out.
 */
export function usedMemory(processes: readonly ProcessEntry[], limit: number): number {
  const inFiles = heldBytes(processes).memory;
  const rough = resident(processes, ofStatus);
  const used = (of: Resident) => of.own + Math.max(of.shared, inFiles);
  return used(rough) <= limit ? used(rough) : used(resident(processes, (pid) => ofShares(pid) ?? ofStatus(pid)));
}

/** What is held by open files without a name. */
export function heldBytes(processes: readonly ProcessEntry[]): HeldBytes {
  const held = { memory: 0, disk: 0 };
  const seen = new Set<string>();
  for (const { pid } of processes) {
    for (const { file, isMemory } of namelessFiles(pid)) {
      const stat = statOf(file);
      const key = `${stat?.dev}:${stat?.ino}`;
      if (!stat?.isFile() || seen.has(key)) continue;
      seen.add(key);
      held[isMemory ? "memory" : "disk"] += stat.blocks * 512;
    }
  }
  return held;
}

function namelessFiles(pid: number): { file: string; isMemory: boolean }[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      const file = `/proc/${pid}/fd/${name}`;
      const target = readlinkSync(file);
      return target.endsWith(" (deleted)") ? [{ file, isMemory: target.startsWith("/memfd:") }] : [];
    });
  } catch {
    // It ended meanwhile.
    return [];
  }
}

/** Undefined when the process ended or became somebody else's meanwhile. */
function statOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}

interface Resident {
  readonly own: number;
  readonly shared: number;
}

function resident(processes: readonly ProcessEntry[], of: (pid: number) => Resident): Resident {
  const parts = processes.map(({ pid }) => of(pid));
  return parts.reduce((sum, { own, shared }) => ({ own: sum.own + own, shared: sum.shared + shared }), {
    own: 0,
    shared: 0,
  });
}

function ofStatus(pid: number): Resident {
  const text = readText(`/proc/${pid}/status`) ?? "";
  return { own: kilobytes(text, /^RssAnon:\s+(\d+)/m), shared: kilobytes(text, /^RssShmem:\s+(\d+)/m) };
}

function ofShares(pid: number): Resident | undefined {
  const text = readText(`/proc/${pid}/smaps_rollup`);
  if (!text?.includes("Pss_Anon:")) return undefined;
  return { own: kilobytes(text, /^Pss_Anon:\s+(\d+)/m), shared: kilobytes(text, /^Pss_Shmem:\s+(\d+)/m) };
}

function kilobytes(text: string, line: RegExp): number {
  return Number(line.exec(text)?.[1] ?? 0) * 1024;
}
