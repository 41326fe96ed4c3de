import type { Clock } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import type { RouterMetrics } from "../metrics.ts";
import type { ReplicaPool } from "../replicas/replica-pool.ts";
import type { ModelRoutes, VersionRoutes } from "../routes/model-routes.ts";
import type { RouteTable } from "../routes/route-table.ts";
import { Attempt } from "./attempt.ts";
import type { ReplicaCall, Served } from "./call.ts";
import { CallRun } from "./call-run.ts";
import type { KeptBodies } from "./kept-bodies.ts";
import { replicaRequest } from "./replica-request.ts";
import type { RetryBudget } from "./retry.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export interface ReplicaCallsOptions {
  readonly table: RouteTable;
  readonly pool: ReplicaPool;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly metrics: RouterMetrics;
  readonly budget: RetryBudget;
  readonly bodies: KeptBodies;
  readonly room: WaitingRoom;
  /** Calls in flight for each replica that a model is given. */
  readonly inFlightPerReplica: number;
  /** How long a call waits for a replica to come up. */
  readonly holdMs: number;
  readonly random?: () => number;
}

/** Sends calls to replicas: route → shard → pick → forward, and again when an attempt fails and may be repeated. */
export class ReplicaCalls {
  readonly #options: ReplicaCallsOptions;
  readonly #random: () => number;

  constructor(options: ReplicaCallsOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Brings a replica's answer to a call. Throws NOT_FOUND (version), UNAVAILABLE (no replica, or lost during the call), RESOURCE_EXHAUSTED (deadline out
   * of reach), DEADLINE_EXCEEDED, CANCELLED.
   */
  async run(model: ModelRoutes, call: ReplicaCall): Promise<Served> {
    const { bodies, budget } = this.#options;
    const isBodyKept = bodies.keep(call.body.length);
    budget.earn();
    try {
      return await new CallRun(this.#options, this.#random, model, call, isBodyKept).run();
    } finally {
      if (isBodyKept) bodies.release(call.body.length);
    }
  }

  /** Sends one call to each replica that holds a version, and returns the answers of those that gave one. */
  async runOnAll(routes: VersionRoutes, call: ReplicaCall): Promise<Served[]> {
    const { pool, clock } = this.#options;
    const usable = pool.placements(routes).filter((p) => p.replica.isUsable);
    const outcomes = await Promise.all(
      usable.map((placement) =>
        new Attempt({ placement, format: call.format, clock, mayMove: () => true }).send(
          replicaRequest(this.#options, call, routes, 1),
        ),
      ),
    );
    return outcomes.flatMap((outcome) =>
      outcome.kind === "answer"
        ? [{ result: outcome.result, code: outcome.code, version: routes.version, upstreamMs: 0 }]
        : [],
    );
  }
}
