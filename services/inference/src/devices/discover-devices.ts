import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { formatCpuList, parseCpuList } from "./cpu-list.ts";
import type { Device } from "./device.ts";

/** The machine's devices: every GPU that nvidia-smi lists, else one CPU set of all CPUs this process may use. */
export async function discoverDevices(): Promise<readonly Device[]> {
  const gpus = parseNvidiaSmi(await askNvidiaSmi());
  return gpus.length > 0 ? gpus : [cpuDevice(await usableCpus())];
}

/** Reads what `nvidia-smi --query-gpu=index,uuid,memory.total,name --format=csv,noheader,nounits` prints (memory in MiB). */
export function parseNvidiaSmi(text: string): readonly Device[] {
  const devices: Device[] = [];
  for (const line of text.split("\n")) {
    const [index, uuid, memoryMiB, ...name] = line.split(",").map((field) => field.trim());
    if (index === undefined || uuid === undefined || !/^\d+$/.test(index)) continue;
    const memoryBytes = (Number(memoryMiB) || 0) * 1024 * 1024;
    devices.push({ id: `gpu-${index}`, kind: "gpu", selector: uuid, memoryBytes, description: name.join(",") });
  }
  return devices;
}

/** The CPUs this process may run on, by the kernel where it says so. */
export async function usableCpus(): Promise<readonly number[]> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  const cpus = list === undefined ? undefined : parseCpuList(list);
  return cpus ?? Array.from({ length: availableParallelism() }, (_, cpu) => cpu);
}

function cpuDevice(cpus: readonly number[]): Device {
  const description = `${cpus.length} ${cpus.length === 1 ? "CPU" : "CPUs"}`;
  return { id: "cpu-0", kind: "cpu", selector: formatCpuList(cpus), memoryBytes: 0, description };
}

function askNvidiaSmi(): Promise<string> {
  const query = ["--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits"];
  return new Promise((resolve) => {
    execFile("nvidia-smi", query, { timeout: 5000 }, (error, stdout) => resolve(error === null ? stdout : ""));
  });
}
