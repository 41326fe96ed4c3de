import { FleetView } from "./fleet-view.ts";
import { MemoryLedger } from "./memory-ledger.ts";
import { PlacementBook } from "./placement-book.ts";
import { type Role, RolloutBook, rolesOf } from "./roles.ts";
import {
  type Admission,
  type Decisions,
  type DesiredDeployment,
  type LibraryModel,
  type LibraryVersion,
  type ModelKey,
  type QuarantineMark,
  type Snapshot,
  versionKey,
} from "./snapshot.ts";

/** What one pass works on: the snapshot with its indexes, and the books it changes. */
export class Pass {
  readonly snapshot: Snapshot;
  readonly deployments: readonly DesiredDeployment[];
  readonly fleet: FleetView;
  readonly ledger: MemoryLedger;
  readonly placements: PlacementBook;
  readonly rollouts: RolloutBook;
  readonly admissions: Map<string, Admission>;
  readonly #quarantine: ReadonlyMap<string, QuarantineMark>;
  readonly #roles = new Map<ModelKey, ReadonlyMap<number, Role>>();

  constructor(snapshot: Snapshot, decisions: Decisions) {
    this.snapshot = snapshot;
    this.deployments = [...snapshot.deployments].sort((a, b) => (a.key < b.key ? -1 : 1));
    this.fleet = new FleetView(snapshot);
    this.ledger = new MemoryLedger(this.fleet, snapshot, decisions.placements);
    this.placements = new PlacementBook(decisions.placements, this.ledger);
    this.rollouts = new RolloutBook(decisions.rollouts);
    this.admissions = new Map(decisions.admissions.map((a) => [versionKey(a.key, a.version), a]));
    this.#quarantine = new Map(snapshot.quarantine.map((q) => [versionKey(q.key, q.version), q]));
    for (const d of this.deployments) this.#roles.set(d.key, rolesOf(d, this.modelOf(d.key), this.rollouts));
  }

  modelOf(key: ModelKey): LibraryModel | undefined {
    return this.snapshot.models.get(key);
  }

  versionOf(key: ModelKey, version: number): LibraryVersion | undefined {
    return this.modelOf(key)?.versions.get(version);
  }

  /** What a deployment holds and why, as things stood when the pass began. */
  rolesOf(key: ModelKey): ReadonlyMap<number, Role> {
    return this.#roles.get(key) ?? new Map();
  }

  isAdmitted(key: ModelKey, version: number): boolean {
    return this.admissions.has(versionKey(key, version));
  }

  isQuarantined(key: ModelKey, version: number): boolean {
    return this.#quarantine.has(versionKey(key, version));
  }

  /** Why a version must not be placed; undefined when it may. */
  findBlock(key: ModelKey, version: number): string | undefined {
    const mark = this.#quarantine.get(versionKey(key, version));
    if (mark !== undefined) return `it is quarantined: it was running in ${mark.crashes} crashes of a replica`;
    const known = this.versionOf(key, version);
    if (known === undefined) return "the library has no such version that is READY";
    if (!known.servable && this.placements.of(key, version).length === 0)
      return "the library no longer lists it as READY";
    return undefined;
  }
}
