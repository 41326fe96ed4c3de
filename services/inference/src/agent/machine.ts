import { access, constants, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { type Resources, ResourcesSchema } from "@aimass/api/scheduler";
import { create } from "@bufbuild/protobuf";
import type { Device } from "../devices/device.ts";
import { usableCpus } from "../devices/discover-devices.ts";

/** What the machine has, and what of it is free. CPUs count as free whatever runs on them. */
export async function measureMachine(
  devices: readonly Device[],
  directory: string,
): Promise<{ total: Resources; free: Resources }> {
  const cpus = (await usableCpus()).length;
  const disk = await statfs(directory).catch(() => undefined);
  const gpuMemoryBytes = devices.filter((d) => d.kind === "gpu").reduce((sum, d) => sum + BigInt(d.memoryBytes), 0n);
  const memory = memoryLimit();
  return {
    total: create(ResourcesSchema, {
      cpus,
      memoryBytes: BigInt(memory),
      gpuMemoryBytes,
      diskBytes: BigInt(disk === undefined ? 0 : disk.blocks * disk.bsize),
    }),
    free: create(ResourcesSchema, {
      cpus,
      memoryBytes: BigInt(Math.min(memory, process.availableMemory())),
      gpuMemoryBytes,
      diskBytes: BigInt(disk === undefined ? 0 : disk.bavail * disk.bsize),
    }),
  };
}

/** Bytes of memory this machine, or the container it is, may use. */
export function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

/** Where `taskset` is; undefined on machines without it. */
export async function findTaskset(path = process.env.PATH ?? ""): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, "taskset");
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return file;
  }
  return undefined;
}
