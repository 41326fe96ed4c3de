import { parseCpuList } from "./cpu-list.ts";
import type { Device } from "./device.ts";

/** What a declaration says: the devices, or every problem with the text. */
export type Declaration = { readonly devices: readonly Device[] } | { readonly problems: readonly string[] };

/**
 * Reads AIMASS_DEVICES: devices separated by ";", each `kind:selector` with options after commas, for instance `cpu:0-1,name=left;cpu:2,3;gpu:0,memory=8589934592`.
 * Options: `name` (the id; default kind and number), `memory` (bytes).
 */
export function parseDeclaredDevices(text: string): Declaration {
  const problems: string[] = [];
  const devices: Device[] = [];
  const counts = { cpu: 0, gpu: 0 };
  for (const entry of text
    .split(";")
    .map((e) => e.trim())
    .filter((e) => e !== "")) {
    const device = parseDevice(entry, counts, problems);
    if (device === undefined) continue;
    if (devices.some((d) => d.id === device.id)) problems.push(`two devices are called "${device.id}"`);
    devices.push(device);
  }
  if (devices.length === 0 && problems.length === 0) problems.push("it names no device");
  return problems.length > 0 ? { problems } : { devices };
}

function parseDevice(entry: string, counts: { cpu: number; gpu: number }, problems: string[]): Device | undefined {
  const match = /^(cpu|gpu):(.+)$/.exec(entry);
  if (match === null) {
    problems.push(`"${entry}" is no device; one looks like cpu:0-3 or gpu:0,name=left`);
    return undefined;
  }
  const kind = match[1] as "cpu" | "gpu";
  const parts = (match[2] as string).split(",").map((p) => p.trim());
  const options = new Map(parts.filter((p) => p.includes("=")).map((p) => p.split("=", 2) as [string, string]));
  const selector = parts.filter((p) => !p.includes("=")).join(",");
  if (!isSelector(kind, selector)) {
    problems.push(
      `"${entry}" selects "${selector}"; ${kind === "cpu" ? "a CPU list looks like 0-3,6" : "a GPU is named by index or UUID"}`,
    );
    return undefined;
  }
  for (const option of options.keys()) {
    if (option !== "name" && option !== "memory")
      problems.push(`"${entry}" has the option "${option}"; known are name and memory`);
  }
  const id = options.get("name") ?? `${kind}-${counts[kind]}`;
  counts[kind] += 1;
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(id))
    problems.push(`"${id}" is no device name; use letters, digits, "-" and "_"`);
  const memoryBytes = Number(options.get("memory") ?? 0);
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < 0)
    problems.push(`"${entry}" has a memory that is no number of bytes`);
  return { id, kind, selector, memoryBytes, description: kind === "cpu" ? `CPUs ${selector}` : `GPU ${selector}` };
}

function isSelector(kind: "cpu" | "gpu", selector: string): boolean {
  return kind === "cpu" ? parseCpuList(selector) !== undefined : /^(\d+|(GPU|MIG)-[0-9a-fA-F-]+)$/.test(selector);
}
