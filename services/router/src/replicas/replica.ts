import type { ReplicaRoute } from "@aimass/api/scheduler";
import { type Clock, parseAddress } from "@aimass/core";
import { Upstream } from "@aimass/h2";

/** How soon a silent replica is left: half a second at worst. Calls that cannot go elsewhere stay and may still be answered. */
const liveness = { pingIntervalMs: 100, pingTimeoutMs: 300 };

/** Every call that a client gives up is taken off its replica: replicas expect that many. */
const resets = { resetBurst: 20_000, resetsPerSecond: 2000 };

/** A call under way on a replica. */
export interface RunningCall {
  /** Moves to another replica if this one has fallen silent and another can take it. */
  moveIfStalled(): void;
}

/** One replica process, as seen from here. */
export class Replica {
  readonly id: string;
  readonly upstream: Upstream;
  /** Calls under way, of all models. */
  inFlight = 0;
  /** What the replica last said of its queue, and when. */
  #queueDepth = 0;
  #queueSeenAt = Number.NEGATIVE_INFINITY;
  readonly #calls = new Set<RunningCall>();
  #route: ReplicaRoute;

  constructor(route: ReplicaRoute, clock: Clock, onState: () => void) {
    this.id = route.id;
    this.#route = route;
    const address = parseAddress(route.address) ?? { host: "127.0.0.1", port: 1 };
    this.upstream = new Upstream({ address, clock, ...liveness, ...resets });
    this.upstream.onState(onState);
  }

  get address(): string {
    return this.#route.address;
  }

  get incarnation(): string {
    return this.#route.incarnation;
  }

  get isUsable(): boolean {
    return !this.#route.draining && this.upstream.state === "ready";
  }

  /** Takes a newer route of the same address. */
  update(route: ReplicaRoute): void {
    if (route.incarnation !== this.incarnation) this.#queueDepth = 0;
    this.#route = route;
  }

  reportQueue(depth: number, now: number): void {
    this.#queueDepth = depth;
    this.#queueSeenAt = now;
  }

  /** Calls waiting or running there: ours, or more when the replica said so within the last second. */
  load(now: number): number {
    return now - this.#queueSeenAt > 1000 ? this.inFlight : Math.max(this.inFlight, this.#queueDepth);
  }

  begin(call: RunningCall): void {
    this.inFlight += 1;
    this.#calls.add(call);
  }

  end(call: RunningCall): void {
    this.inFlight -= 1;
    this.#calls.delete(call);
  }

  /** Another replica may have come up: calls that wait here for an answer may go there. */
  moveStalled(): void {
    for (const call of [...this.#calls]) call.moveIfStalled();
  }

  /** No new calls; the connection closes after the last one. */
  retire(): void {
    this.upstream.retire();
  }

  close(): void {
    this.upstream.close();
  }
}
