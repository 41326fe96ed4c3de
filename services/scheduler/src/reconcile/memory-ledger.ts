import type { FleetView } from "./fleet-view.ts";
import type { HeldState, LibraryModel, ModelKey, Placement } from "./snapshot.ts";

/** Differences in planned memory below this are noise; replicas are then evened out by how many versions they hold. */
const evenBytes = 64 * 2 ** 20;

interface Account {
  /** Limit less what the process reports less what is promised; Infinity without a limit. */
  free: number;
  /** Sum of the estimates of active placements. */
  planned: number;
  count: number;
  readonly limit: number;
}

/** Memory of every replica as one pass spends it. */
export class MemoryLedger {
  readonly #accounts = new Map<string, Account>();
  readonly #fleet: FleetView;
  readonly #models: ReadonlyMap<ModelKey, LibraryModel>;

  constructor(fleet: FleetView, models: ReadonlyMap<ModelKey, LibraryModel>, placements: Iterable<Placement>) {
    this.#fleet = fleet;
    this.#models = models;
    for (const replica of fleet.replicas) {
      const limit = replica.memoryLimit > 0 ? replica.memoryLimit : Number.POSITIVE_INFINITY;
      this.#accounts.set(replica.id, { free: limit - replica.memoryUsed, planned: 0, count: 0, limit });
    }
    for (const placement of placements) this.#book(placement, 1);
  }

  /** Bytes a replica needs to hold a version. */
  need(key: ModelKey, version: number): number {
    return this.#models.get(key)?.versions.get(version)?.memoryBytes ?? 0;
  }

  free(replicaId: string): number {
    return this.#accounts.get(replicaId)?.free ?? 0;
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
    const account = this.#accounts.get(placement.replica);
    if (account === undefined) return;
    const bytes = this.need(placement.key, placement.version);
    if (!this.#occupies(placement)) account.free -= sign * bytes;
    if (placement.releasedAt !== undefined) return;
    account.planned += sign * bytes;
    account.count += sign;
  }

  /** True when the replica's reported memory already contains the version. */
  #occupies(placement: Placement): boolean {
    const held = this.#fleet.held(placement.replica, placement.key, placement.version);
    return held !== undefined && isLoaded(held.state);
  }
}

/** True for states in which a version is in a replica's memory. */
export function isLoaded(state: HeldState): boolean {
  return state === "warming" || state === "ready" || state === "unloading";
}
