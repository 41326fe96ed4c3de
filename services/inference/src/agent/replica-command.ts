import type { Device } from "../devices/device.ts";

/** How a replica's process is started. */
export interface ReplicaCommand {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The command that runs `main` with `node` on a device: a CPU set is pinned by `taskset` where there is one (else only the number of threads follows from it), a GPU by
 * CUDA_VISIBLE_DEVICES, so that the process sees no other.
 */
export function replicaCommand(options: {
  device: Device;
  node: string;
  nodeArguments: readonly string[];
  main: string;
  taskset: string | undefined;
}): ReplicaCommand {
  const { device, node, nodeArguments, main, taskset } = options;
  const env = { AIMASS_DEVICE: `${device.kind}:${device.selector},name=${device.id}${memoryOption(device)}` };
  const plain = [...nodeArguments, main];
  if (device.kind === "gpu")
    return { file: node, arguments: plain, env: { ...env, CUDA_VISIBLE_DEVICES: device.selector } };
  if (taskset === undefined) return { file: node, arguments: plain, env };
  return { file: taskset, arguments: ["-c", device.selector, node, ...plain], env };
}

function memoryOption(device: Device): string {
  return device.memoryBytes > 0 ? `,memory=${device.memoryBytes}` : "";
}
