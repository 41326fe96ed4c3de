import { type AnnounceNodeRequest, type LoadedVersion, LoadState, type ReplicaInfo } from "@aimass/api/scheduler";
import { formatResource } from "@aimass/identity";
import type { HeldState, HeldVersion, NodeState, Presence, ReplicaState } from "../reconcile/snapshot.ts";

const heldStates: Partial<Record<LoadState, HeldState>> = {
  [LoadState.FETCHING]: "fetching",
  [LoadState.LOADING]: "loading",
  [LoadState.WARMING]: "warming",
  [LoadState.READY]: "ready",
  [LoadState.UNLOADING]: "unloading",
  [LoadState.FAILED]: "failed",
};

/** A replica's report as the policy sees it. */
export function toReplicaState(info: ReplicaInfo, facts: { presence: Presence; draining: boolean }): ReplicaState {
  return {
    id: info.id,
    node: info.node,
    deviceId: info.device?.id ?? "",
    deviceKind: info.device?.kind || "cpu",
    address: info.address,
    incarnation: info.incarnation,
    dedicatedTo: info.dedicatedTo,
    presence: facts.presence,
    draining: facts.draining,
    leaving: info.draining,
    memoryUsed: Number(info.memoryBytesUsed - info.memoryBytesOnDemand),
    memoryLimit: Number(info.memoryBytesLimit),
    cpus: info.device?.kind === "cpu" ? countCpus(info.device.selector) : 0,
    held: info.loaded.map(toHeldVersion),
  };
}

/** An agent's report as the policy sees it. */
export function toNodeState(info: AnnounceNodeRequest, facts: { presence: Presence; draining: boolean }): NodeState {
  return {
    name: info.node,
    ...facts,
    freeMemory: Number(info.free?.memoryBytes ?? 0n),
    freeDisk: Number(info.free?.diskBytes ?? 0n),
    devices: info.devices.map(({ id, kind }) => ({ id, kind })),
  };
}

/** How many CPUs a Linux CPU list ("0-3,8") names; 0 for a text that is none. */
export function countCpus(list: string): number {
  let count = 0;
  for (const part of list.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (match === null) return 0;
    const first = Number(match[1]);
    count += Math.max(0, Number(match[2] ?? first) - first + 1);
  }
  return count;
}

function toHeldVersion(loaded: LoadedVersion): HeldVersion {
  return {
    key: formatResource(loaded.project || "default", loaded.model),
    version: Number(loaded.version),
    state: heldStates[loaded.state] ?? "fetching",
    reason: loaded.reason,
    parity: Buffer.from(loaded.parityDigest).toString("hex"),
    leastMemory: Number(loaded.leastMemoryBytes),
  };
}
