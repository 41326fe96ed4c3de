import type { MemoryLedger } from "./memory-ledger.ts";
import { type ModelKey, type Placement, versionKey } from "./snapshot.ts";

/** The placements of a pass while it works on them; keeps the ledger in step. */
export class PlacementBook {
  readonly #byVersion = new Map<string, Map<string, Placement>>();
  readonly #versions = new Map<ModelKey, Set<number>>();
  readonly #byReplica = new Map<string, Set<Placement>>();
  readonly #ledger: MemoryLedger;

  /** The ledger must already contain `placements`. */
  constructor(placements: readonly Placement[], ledger: MemoryLedger) {
    this.#ledger = ledger;
    for (const placement of placements) this.#insert(placement);
  }

  /** All placements of a version, by replica id. */
  of(key: ModelKey, version: number): Placement[] {
    const page = this.#byVersion.get(versionKey(key, version));
    return page === undefined ? [] : [...page.values()].sort((a, b) => (a.replica < b.replica ? -1 : 1));
  }

  /** Those that are not on their way out. */
  active(key: ModelKey, version: number): Placement[] {
    return this.of(key, version).filter((placement) => placement.releasedAt === undefined);
  }

  find(key: ModelKey, version: number, replica: string): Placement | undefined {
    return this.#byVersion.get(versionKey(key, version))?.get(replica);
  }

  put(placement: Placement): void {
    this.drop(placement);
    this.#insert(placement);
    this.#ledger.add(placement);
  }

  drop({ key, version, replica }: Placement): void {
    const before = this.find(key, version, replica);
    if (before === undefined) return;
    this.#pageOf(key, version).delete(replica);
    this.#byReplica.get(replica)?.delete(before);
    this.#ledger.remove(before);
  }

  /** All placements on a replica. */
  on(replica: string): Placement[] {
    return [...(this.#byReplica.get(replica) ?? [])].sort(byIdentity);
  }

  /** Versions of a model that any replica has. */
  versionsOf(key: ModelKey): number[] {
    return [...(this.#versions.get(key) ?? [])].filter((version) => this.of(key, version).length > 0);
  }

  /** Every placement, ordered so that equal books give equal lists. */
  list(): Placement[] {
    const all: Placement[] = [];
    for (const page of this.#byVersion.values()) all.push(...page.values());
    return all.sort(byIdentity);
  }

  #insert(placement: Placement): void {
    this.#pageOf(placement.key, placement.version).set(placement.replica, placement);
    const shelf = this.#byReplica.get(placement.replica);
    if (shelf === undefined) this.#byReplica.set(placement.replica, new Set([placement]));
    else shelf.add(placement);
  }

  #pageOf(key: ModelKey, version: number): Map<string, Placement> {
    const name = versionKey(key, version);
    let page = this.#byVersion.get(name);
    if (page === undefined) {
      page = new Map();
      this.#byVersion.set(name, page);
      const versions = this.#versions.get(key);
      if (versions === undefined) this.#versions.set(key, new Set([version]));
      else versions.add(version);
    }
    return page;
  }
}

function byIdentity(a: Placement, b: Placement): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  if (a.version !== b.version) return a.version - b.version;
  return a.replica < b.replica ? -1 : 1;
}
