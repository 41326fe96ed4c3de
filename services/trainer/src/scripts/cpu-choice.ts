import { readFileSync } from "node:fs";
import type { Clock } from "@aimass/core";

const sampleMs = 100;

/** The least busy of the processors this process may use, as taskset(1) takes them; undefined when all are wanted. */
export async function chooseCpus(count: number, clock: Clock): Promise<string | undefined> {
  const allowed = parseCpuList(
    /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "",
  );
  if (count >= allowed.length) return undefined;
  const before = busyTicks();
  await clock.sleep(sampleMs);
  const after = busyTicks();
  const busy = (cpu: number) => (after.get(cpu) ?? 0) - (before.get(cpu) ?? 0);
  return allowed
    .toSorted((a, b) => busy(a) - busy(b) || a - b)
    .slice(0, Math.max(1, count))
    .join(",");
}

/** "0-2,5" as numbers. */
export function parseCpuList(text: string): readonly number[] {
  return text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [from = Number.NaN, to = from] = part.split("-").map(Number);
      return Number.isInteger(from) ? Array.from({ length: to - from + 1 }, (_, i) => from + i) : [];
    });
}

/** Ticks each processor has worked (proc_stat(5)): user, nice, system, irq, softirq, steal. */
function busyTicks(): ReadonlyMap<number, number> {
  const lines = readFileSync("/proc/stat", "utf8").matchAll(/^cpu(\d+) (.*)$/gm);
  return new Map(
    [...lines].map((line) => {
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line[2] ?? "")
        .split(" ")
        .map(Number);
      return [Number(line[1]), user + nice + system + irq + softirq + steal];
    }),
  );
}
