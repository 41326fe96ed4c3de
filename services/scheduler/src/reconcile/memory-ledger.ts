import type { FleetView } from "./fleet-view.ts";
import {
  type HeldState,
  type LibraryModel,
  type ModelKey,
  type Placement,
  type Snapshot,
  versionKey,
} from "./snapshot.ts";

/** Differences in planned memory below this are noise; replicas are then evened out by how many versions they hold. */
const evenBytes = 64 * 2 ** 20;

interface Account {
  /** Limit less what the process reports less what is promised; Infinity without a limit. */
  free: number;
  /** Sum of the estimates of active placements. */
  planned: number;
  count: number;
  readonly limit: number;
  /** Bytes of the versions on demand, and of the largest of them, which must find room so that each can be brought back. */
  readonly onDemand: Map<string, number>;
  aside: number;
}

/** Memory of every replica as one pass spends it. */
export class MemoryLedger {
  readonly #accounts = new Map<string, Account>();
  readonly #fleet: FleetView;
  readonly #models: ReadonlyMap<ModelKey, LibraryModel>;
  readonly #onDemand: ReadonlySet<ModelKey>;

  constructor(
    fleet: FleetView,
    { models, deployments }: Pick<Snapshot, "models" | "deployments">,
    placements: Iterable<Placement>,
  ) {
    this.#fleet = fleet;
    this.#models = models;
    this.#onDemand = new Set(deployments.filter((deployment) => deployment.onDemand).map(({ key }) => key));
    for (const replica of fleet.replicas) {
      const limit = replica.memoryLimit > 0 ? replica.memoryLimit : Number.POSITIVE_INFINITY;
      const free = limit - replica.memoryUsed;
      this.#accounts.set(replica.id, { free, planned: 0, count: 0, limit, onDemand: new Map(), aside: 0 });
    }
    for (const placement of placements) this.#book(placement, 1);
  }

  /** Bytes that one replica needs to have a version in memory. */
  bytesOf(key: ModelKey, version: number): number {
    return this.#models.get(key)?.versions.get(version)?.memoryBytes ?? 0;
  }

  /** Bytes that a replica has for good less while it holds a version, and gets back when it is unloaded: none for one on demand. */
  need(key: ModelKey, version: number): number {
    return this.#onDemand.has(key) ? 0 : this.bytesOf(key, version);
  }

  /** Bytes of room that a replica must have to be given a version. One on demand can have that of the others on demand. */
  lack(replicaId: string, key: ModelKey, version: number): number {
    const bytes = this.bytesOf(key, version);
    return this.#onDemand.has(key) ? Math.max(0, bytes - this.#aside(replicaId)) : bytes;
  }

  /** Bytes that nobody has a claim on. */
  free(replicaId: string): number {
    return (this.#accounts.get(replicaId)?.free ?? 0) - this.#aside(replicaId);
  }

  add(placement: Placement): void {
    this.#book(placement, 1);
  }

  remove(placement: Placement): void {
    this.#book(placement, -1);
  }

  /** Orders replicas by how little they are given, in steps too coarse for small models, then by count. */
  load(replicaId: string): readonly [number, number, number] {
    const account = this.#accounts.get(replicaId);
    if (account === undefined) return [0, 0, 0];
    const share = Number.isFinite(account.limit) ? account.planned / account.limit : account.planned / 2 ** 34;
    const steps = Math.floor(account.planned / evenBytes) === 0 ? 0 : Math.floor(share * 64) + 1;
    return [steps, account.count, share];
  }

  #book(placement: Placement, sign: 1 | -1): void {
    const { replica, key, version, releasedAt } = placement;
    const account = this.#accounts.get(replica);
    if (account === undefined) return;
    const bytes = this.bytesOf(key, version);
    if (this.#onDemand.has(key)) bookOnDemand(account, versionKey(key, version), sign > 0 ? bytes : undefined);
    else if (!this.#occupies(placement)) account.free -= sign * bytes;
    if (releasedAt !== undefined) return;
    account.planned += sign * bytes;
    account.count += sign;
  }

  #aside(replicaId: string): number {
    return this.#accounts.get(replicaId)?.aside ?? 0;
  }

  /** True when the replica's reported memory already contains the version. */
  #occupies(placement: Placement): boolean {
    const held = this.#fleet.held(placement.replica, placement.key, placement.version);
    return held !== undefined && isLoaded(held.state);
  }
}

function bookOnDemand(account: Account, version: string, bytes: number | undefined): void {
  const before = account.onDemand.get(version) ?? 0;
  if (bytes === undefined) account.onDemand.delete(version);
  else account.onDemand.set(version, bytes);
  if (before < account.aside) account.aside = Math.max(account.aside, bytes ?? 0);
  else account.aside = Math.max(0, ...account.onDemand.values());
}

/** True for states in which a version is in a replica's memory. */
export function isLoaded(state: HeldState): boolean {
  return state === "warming" || state === "ready" || state === "unloading";
}
