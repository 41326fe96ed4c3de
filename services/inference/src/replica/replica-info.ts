import {
  type LoadedVersion,
  LoadedVersionSchema,
  LoadState,
  type ReplicaExit,
  ReplicaExitSchema,
  type ReplicaInfo,
  ReplicaInfoSchema,
} from "@aimass/api/scheduler";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { CrashNote } from "../crashes/crash-note.ts";
import type { Device } from "../devices/device.ts";
import type { MemoryBudget } from "../servables/memory-budget.ts";
import type { Servable } from "../servables/servable.ts";
import type { RefusedVersion } from "../servables/servable-set.ts";
import type { ServableState } from "../servables/servable-state.ts";

/** What stays the same for the life of the process. */
export interface ReplicaFacts {
  readonly id: string;
  readonly node: string;
  readonly device: Device;
  /** host:port at which routers reach it. */
  readonly address: string;
  readonly dedicatedTo: string;
  readonly incarnation: string;
}

/** What the scheduler is told of a replica. */
export function describeReplica(
  facts: ReplicaFacts,
  now: { draining: boolean; memory: MemoryBudget; servables: readonly Servable[]; refused: readonly RefusedVersion[] },
): ReplicaInfo {
  return create(ReplicaInfoSchema, {
    ...facts,
    device: { ...facts.device, memoryBytes: BigInt(facts.device.memoryBytes) },
    draining: now.draining,
    live: true,
    memoryBytesUsed: BigInt(Math.round(now.memory.usedBytes)),
    memoryBytesLimit: BigInt(now.memory.limitBytes),
    memoryBytesOnDemand: BigInt(Math.round(now.memory.onDemandBytes)),
    loaded: [...now.servables.map(describeLoaded), ...now.refused.map(describeRefused)],
  });
}

/** How the replica's last process ended, by the note it left: none when it was told to end, or ran nothing. */
export function describeExits(replicaId: string, note: CrashNote | undefined): ReplicaExit[] {
  if (note === undefined || note.running.length === 0) return [];
  const { incarnation, running, writtenAt } = note;
  const at = timestampFromMs(writtenAt);
  return [create(ReplicaExitSchema, { replicaId, incarnation, exitCode: -1, running: [...running], at })];
}

function describeLoaded({ plan, state, facts, memoryBytes }: Servable): LoadedVersion {
  return create(LoadedVersionSchema, {
    ...plan.name,
    state: loadStates[state.kind],
    reason: state.kind === "failed" || state.kind === "fetching" ? state.reason : "",
    memoryBytes: BigInt(Math.round(memoryBytes)),
    loadMicros: BigInt(facts?.loadMicros ?? 0),
    parityDigest: facts?.parityDigest ?? new Uint8Array(),
    leastMemoryBytes: BigInt(Math.round(facts?.leastBytes ?? 0)),
    maxBatchSize: facts?.maxBatchSize ?? 0,
    batchLimit: facts?.batchLimit ?? "",
  });
}

function describeRefused({ name, reason }: RefusedVersion): LoadedVersion {
  return create(LoadedVersionSchema, { ...name, state: LoadState.FAILED, reason });
}

const loadStates: Record<ServableState["kind"], LoadState> = {
  fetching: LoadState.FETCHING,
  loading: LoadState.LOADING,
  warming: LoadState.WARMING,
  ready: LoadState.READY,
  unloading: LoadState.UNLOADING,
  failed: LoadState.FAILED,
};
