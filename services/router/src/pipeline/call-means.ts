import type { Clock } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import type { RouterMetrics } from "../metrics.ts";
import type { ReplicaPool } from "../replicas/replica-pool.ts";
import type { RouteTable } from "../routes/route-table.ts";
import type { KeptBodies } from "./kept-bodies.ts";
import type { RefusedTokens } from "./refused-tokens.ts";
import type { RetryBudget } from "./retry.ts";
import type { WaitingRoom } from "./waiting-room.ts";

/** What every call works with, whoever makes it. */
export interface CallMeans {
  readonly table: RouteTable;
  readonly pool: ReplicaPool;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly metrics: RouterMetrics;
  readonly budget: RetryBudget;
  readonly bodies: KeptBodies;
  readonly room: WaitingRoom;
  readonly refusedTokens: RefusedTokens;
  /** Calls in flight for each replica that a model is given. */
  readonly inFlightPerReplica: number;
  /** How long a call waits for a replica to come up. */
  readonly holdMs: number;
  readonly random?: () => number;
}
