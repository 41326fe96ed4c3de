/** What the reconcile policy sees and what it decides: plain data, no clocks, no connections. Times are milliseconds since the epoch. */

/** "project.model", the name of a model across the policy. */
export type ModelKey = string;

/** A deployment with every default filled in. */
export interface DesiredDeployment {
  readonly key: ModelKey;
  readonly project: string;
  readonly model: string;
  readonly aliases: readonly string[];
  readonly versions: readonly number[];
  readonly replicas: number;
  readonly dedicated: boolean;
  /** "cpu", "gpu", or "" for any. */
  readonly deviceKind: string;
  readonly keepWarm: number;
  /** Its versions are put aside when others need the memory. */
  readonly onDemand: boolean;
  /** Its aliases stay at what they serve. */
  readonly paused: boolean;
}

/** A version as the library describes it. */
export interface LibraryVersion {
  readonly version: number;
  /** False once the library no longer lists it; what still holds it may finish. */
  readonly servable: boolean;
  /** What one replica needs to hold it, in bytes. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly runLimitMs: number;
  /** Threads all its sessions on one replica use side by side; 0 leaves it to the replica. */
  readonly threads: number;
}

export interface LibraryModel {
  readonly aliases: ReadonlyMap<string, number>;
  readonly versions: ReadonlyMap<number, LibraryVersion>;
}

/**
 * attached: its lease runs. missing: no sign of life, but not long enough to give it up, so it keeps what it has and gets nothing new.
 * gone: given up, its placements move.
 */
export type Presence = "attached" | "missing" | "gone";

export type HeldState = "fetching" | "loading" | "warming" | "ready" | "unloading" | "failed";

/** A version a replica reports. */
export interface HeldVersion {
  readonly key: ModelKey;
  readonly version: number;
  readonly state: HeldState;
  readonly reason: string;
  /** Hex; empty when the replica has no digest. */
  readonly parity: string;
  /** What it takes with single rows, as the replica measured it, in bytes. */
  readonly leastMemory?: number;
}

export interface ReplicaState {
  readonly id: string;
  readonly node: string;
  readonly deviceId: string;
  readonly deviceKind: string;
  readonly address: string;
  readonly incarnation: string;
  /** Empty for a shared replica. */
  readonly dedicatedTo: ModelKey;
  readonly presence: Presence;
  /** An operator moves what it serves elsewhere. */
  readonly draining: boolean;
  /** It says itself that it is about to end: no new requests. */
  readonly leaving: boolean;
  /** Without what versions on demand take: they give it up. */
  readonly memoryUsed: number;
  /** 0: no limit is known. */
  readonly memoryLimit: number;
  /** CPUs of its device; 0: not known. */
  readonly cpus: number;
  readonly held: readonly HeldVersion[];
}

export interface NodeState {
  readonly name: string;
  readonly presence: Presence;
  /** An operator moves everything that it serves elsewhere, and it gets nothing new. */
  readonly draining: boolean;
  /** 0: not known. */
  readonly freeMemory: number;
  /** 0: not known. */
  readonly freeDisk: number;
  readonly devices: readonly { readonly id: string; readonly kind: string }[];
}

/** A version that crashed replicas. */
export interface QuarantineMark {
  readonly key: ModelKey;
  readonly version: number;
  readonly crashes: number;
}

/** A version on a replica, as decided. */
export interface Placement {
  readonly key: ModelKey;
  readonly version: number;
  readonly replica: string;
  /** The replica whose place it takes until that one is back. */
  readonly standsInFor?: string;
  /** When it left the routes; it stays assigned for the drain time. */
  readonly releasedAt?: number;
}

/** Where an alias goes, as decided. */
export interface Rollout {
  readonly key: ModelKey;
  readonly alias: string;
  /** 0: nothing yet. */
  readonly served: number;
  /** Versions it served before, latest first. */
  readonly previous: readonly number[];
}

/** A version that passed its gate: loaded everywhere it should be, and all replicas of a device kind answered alike. */
export interface Admission {
  readonly key: ModelKey;
  readonly version: number;
  /** Agreed digest by device kind. */
  readonly parity: Readonly<Record<string, string>>;
}

/** A replica process that an agent should keep for one model. */
export interface DedicatedReplicaWant {
  readonly id: string;
  readonly node: string;
  readonly deviceId: string;
  readonly key: ModelKey;
}

/** What one pass leaves for the next. */
export interface Decisions {
  readonly placements: readonly Placement[];
  readonly rollouts: readonly Rollout[];
  readonly admissions: readonly Admission[];
  readonly dedicated: readonly DedicatedReplicaWant[];
}

export interface Timings {
  /** How long a version stays assigned after it left the routes. */
  readonly drainMs: number;
}

export interface Snapshot {
  readonly now: number;
  readonly timings: Timings;
  readonly deployments: readonly DesiredDeployment[];
  readonly models: ReadonlyMap<ModelKey, LibraryModel>;
  readonly replicas: readonly ReplicaState[];
  readonly nodes: readonly NodeState[];
  readonly quarantine: readonly QuarantineMark[];
  readonly decisions: Decisions;
}

export const noDecisions: Decisions = { placements: [], rollouts: [], admissions: [], dedicated: [] };

/** "project.model@3": names a version in maps and sentences. */
export function versionKey(key: ModelKey, version: number): string {
  return `${key}@${version}`;
}
