import {
  type RepositoryIndexResponse_ModelIndex,
  RepositoryIndexResponse_ModelIndexSchema,
  type ServerMetadataResponse,
  ServerMetadataResponseSchema,
} from "@aimass/api/inference";
import type { Clock } from "@aimass/core";
import type { PolicyStore, Principal } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { maySee, maySeeVersion } from "../pipeline/access.ts";
import type { ReplicaPool } from "../replicas/replica-pool.ts";
import { type ModelRoutes, publicName, type VersionRoutes } from "../routes/model-routes.ts";
import type { RouteTable } from "../routes/route-table.ts";

/** Extensions of the protocol that work here; clients such as perf_analyzer go by them. */
const extensions = [
  "classification",
  "binary_tensor_data",
  "parameters",
  "schedule_policy",
  "model_configuration",
  "statistics",
];

/** Answers what the router knows by itself: is the server ready, which models are there, are they up. */
export class ServerInfo {
  readonly #policy: PolicyStore;
  readonly #table: RouteTable;
  readonly #pool: ReplicaPool;
  readonly #clock: Clock;
  readonly #version: string;
  #isDraining = false;

  constructor(options: { policy: PolicyStore; table: RouteTable; pool: ReplicaPool; clock: Clock; version: string }) {
    this.#policy = options.policy;
    this.#table = options.table;
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.#version = options.version;
  }

  /** From now on the router says that it is not ready. */
  drain(): void {
    this.#isDraining = true;
  }

  /** True, or why not. */
  ready(): true | string {
    if (this.#isDraining) return "The router is draining.";
    if (this.#policy.version === 0n) return "The router has no access policy yet.";
    if (!this.#table.hasState) return "The router has no routes yet.";
    return true;
  }

  metadata(): ServerMetadataResponse {
    return create(ServerMetadataResponseSchema, { name: "aimass", version: this.#version, extensions });
  }

  /** Whether a replica that holds the version is up. */
  isUp(version: VersionRoutes): boolean {
    return this.#pool.placements(version).some((placement) => placement.replica.isUsable);
  }

  /** The models a caller may see, by name; with `readyOnly` those that can answer. */
  index(principal: Principal, readyOnly: boolean): RepositoryIndexResponse_ModelIndex[] {
    const entries: RepositoryIndexResponse_ModelIndex[] = [];
    for (const model of this.visibleModels(principal)) {
      for (const version of this.visibleVersions(principal, model)) {
        const isUp = this.isUp(version);
        if (readyOnly && !isUp) continue;
        entries.push(
          create(RepositoryIndexResponse_ModelIndexSchema, {
            name: publicName(model),
            version: version.version,
            state: isUp ? "READY" : "UNAVAILABLE",
            reason: isUp ? "" : version.unavailableReason || "No replica that holds it can be reached.",
          }),
        );
      }
    }
    return entries;
  }

  /** The versions of a model that a caller may see, oldest first. */
  visibleVersions(principal: Principal, model: ModelRoutes): VersionRoutes[] {
    const asking = { policy: this.#policy.policy, principal, nowMs: this.#clock.now() };
    return model.newestFirst.filter((version) => maySeeVersion(asking, version)).toReversed();
  }

  /** The models a caller may see, in the order of their names. */
  visibleModels(principal: Principal): ModelRoutes[] {
    const now = this.#clock.now();
    const names = [...this.#table.models.keys()].sort();
    return names.flatMap((name) =>
      maySee(this.#policy.policy, principal, name, now) ? (this.#table.models.get(name) ?? []) : [],
    );
  }
}
