import type { Clock } from "@aimass/core";
import { rendezvousOrder } from "../pipeline/shard.ts";
import type { VersionRoutes } from "../routes/model-routes.ts";
import type { RouteTable } from "../routes/route-table.ts";
import { Placement } from "./placement.ts";
import { Replica } from "./replica.ts";

/** Connections to every replica of the routes, and what is known of every version on them. Follows the table. */
export class ReplicaPool implements Disposable {
  readonly #table: RouteTable;
  readonly #clock: Clock;
  readonly #replicas = new Map<string, Replica>();
  /** "model/version" → replica id → placement. */
  readonly #placements = new Map<string, Map<string, Placement>>();
  #ordered = new WeakMap<VersionRoutes, readonly Placement[]>();
  /** "model/version" → since when the routes name no replica for it. */
  readonly #unservedSince = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  readonly #subscription: Disposable;

  constructor(table: RouteTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
    this.#subscription = table.onChange(() => this.#reconcile());
    this.#reconcile();
  }

  get replicas(): ReadonlyMap<string, Replica> {
    return this.#replicas;
  }

  /** Calls back when a replica came, went, or changed its state. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The placements of a version in the order in which they are used; kept until the routes change. */
  placements(routes: VersionRoutes): readonly Placement[] {
    const known = this.#ordered.get(routes);
    if (known !== undefined) return known;
    const key = `${routes.model}/${routes.version}`;
    const members = routes.replicaIds.flatMap((id) => this.#placement(key, id) ?? []);
    const ordered = rendezvousOrder(key, members, (p) => p.replica.id);
    this.#ordered.set(routes, ordered);
    return ordered;
  }

  /** How long the routes have named no replica for a version, in milliseconds; 0 when they name one. */
  unservedMs(routes: VersionRoutes): number {
    const since = this.#unservedSince.get(`${routes.model}/${routes.version}`);
    return since === undefined ? 0 : this.#clock.monotonic() - since;
  }

  /** Ejected placements, for metrics. */
  get ejected(): number {
    let count = 0;
    for (const byReplica of this.#placements.values())
      for (const placement of byReplica.values()) if (!placement.breaker.isClosed) count += 1;
    return count;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const replica of this.#replicas.values()) replica.close();
    this.#replicas.clear();
  }

  #placement(key: string, replicaId: string): Placement | undefined {
    const replica = this.#replicas.get(replicaId);
    if (replica === undefined) return undefined;
    const byReplica = this.#placements.get(key) ?? new Map<string, Placement>();
    this.#placements.set(key, byReplica);
    const known = byReplica.get(replicaId);
    if (known?.replica === replica && known.incarnation === replica.incarnation) return known;
    const placement = new Placement(replica);
    byReplica.set(replicaId, placement);
    return placement;
  }

  #reconcile(): void {
    for (const [id, replica] of this.#replicas) {
      const route = this.#table.replicas.get(id);
      if (route !== undefined && route.address === replica.address) continue;
      this.#replicas.delete(id);
      replica.retire();
    }
    for (const [id, route] of this.#table.replicas) {
      const known = this.#replicas.get(id);
      if (known !== undefined) known.update(route);
      else this.#replicas.set(id, new Replica(route, this.#clock, () => this.#notify()));
    }
    // They hang on route objects, which outlive a replica's process and its address.
    this.#ordered = new WeakMap();
    this.#reviewVersions();
    this.#notify();
  }

  #reviewVersions(): void {
    const known = new Set<string>();
    const now = this.#clock.monotonic();
    for (const routes of this.#table.models.values()) {
      for (const version of routes.newestFirst) {
        const key = `${version.model}/${version.version}`;
        known.add(key);
        this.#forgetOthers(key, version.replicaIds);
        if (version.replicaIds.length > 0) this.#unservedSince.delete(key);
        else if (!this.#unservedSince.has(key)) this.#unservedSince.set(key, now);
      }
    }
    for (const key of this.#placements.keys()) if (!known.has(key)) this.#placements.delete(key);
    for (const key of this.#unservedSince.keys()) if (!known.has(key)) this.#unservedSince.delete(key);
  }

  /** Lets go of what is known of replicas that hold a version no more. */
  #forgetOthers(key: string, replicaIds: readonly string[]): void {
    const byReplica = this.#placements.get(key);
    for (const id of byReplica?.keys() ?? []) if (!replicaIds.includes(id)) byReplica?.delete(id);
  }

  #notify(): void {
    for (const replica of this.#replicas.values()) if (replica.upstream.state !== "ready") replica.moveStalled();
    for (const listener of this.#listeners) listener();
  }
}
