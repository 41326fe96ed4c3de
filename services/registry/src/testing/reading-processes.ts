import { readdir, readFile } from "node:fs/promises";

/** The reading processes that a process has started and that are alive; Linux only. */
export async function readingProcesses(parent = process.pid): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (!command.includes("reading-main.ts")) continue;
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    if (status.includes(`PPid:\t${parent}\n`)) found.push(Number(name));
  }
  return found;
}
