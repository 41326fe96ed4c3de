import {
  type AnnounceNodeRequest,
  AnnounceNodeRequestSchema,
  type DeploymentSpec,
  DeploymentSpecSchema,
  type ReplicaInfo,
  ReplicaInfoSchema,
} from "@aimass/api/scheduler";
import { fromBinary } from "@bufbuild/protobuf";
import { type Kysely, sql } from "kysely";
import type { SchedulerDatabase } from "../database.ts";
import { desiredFromSpec } from "../deployments/spec.ts";
import { toNodeState, toReplicaState } from "../fleet/fleet-state.ts";
import { type LifeSigns, presenceOf } from "../fleet/presence.ts";
import type { DesiredDeployment, NodeState, QuarantineMark, ReplicaState } from "../reconcile/snapshot.ts";

/** A row of the fleet with its report and its signs of life. */
export interface Announced<Report> {
  readonly report: Report;
  readonly life: LifeSigns;
}

/** What people want and the fleet says, as the database has it at one moment. */
export interface Observed {
  /** By the database's clock. */
  readonly now: number;
  readonly specs: readonly DeploymentSpec[];
  readonly etags: readonly string[];
  /** Those that are drained as a whole, also while they are away. */
  readonly drainedNodes: ReadonlySet<string>;
  readonly nodes: readonly Announced<AnnounceNodeRequest>[];
  /** `draining`: by itself or with its node. */
  readonly replicas: readonly (Announced<ReplicaInfo> & { readonly draining: boolean })[];
  readonly quarantine: readonly QuarantineMark[];
}

/** The part of a policy's snapshot that comes from outside of it. */
export interface ObservedStates {
  readonly now: number;
  readonly deployments: readonly DesiredDeployment[];
  readonly nodes: readonly NodeState[];
  readonly replicas: readonly ReplicaState[];
  readonly quarantine: readonly QuarantineMark[];
}

const epochMs = (column: string) => sql<string | null>`(extract(epoch from ${sql.ref(column)}) * 1000)::bigint`;

/** Reads it all. */
export async function readObserved(db: Kysely<SchedulerDatabase>): Promise<Observed> {
  const [clock, deployments, drained, nodes, replicas, quarantine] = await Promise.all([
    sql<{ now: string }>`select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(db),
    db.selectFrom("deployment").select(["spec", "etag"]).execute(),
    db.selectFrom("drained_node").select("name").execute(),
    db
      .selectFrom("node")
      .select(["info", epochMs("lease_until").as("lease_until"), epochMs("detached_at").as("detached_at")])
      .execute(),
    db
      .selectFrom("replica")
      .select(["info", "draining", epochMs("lease_until").as("lease_until"), epochMs("detached_at").as("detached_at")])
      .execute(),
    db.selectFrom("quarantine").select(["key", "version", "crashes"]).execute(),
  ]);
  const drainedNodes = new Set(drained.map(({ name }) => name));
  return {
    now: Number(clock.rows[0]?.now),
    drainedNodes,
    specs: deployments.map((row) => fromBinary(DeploymentSpecSchema, row.spec)),
    etags: deployments.map((row) => row.etag),
    nodes: nodes.map((row) => ({ report: fromBinary(AnnounceNodeRequestSchema, row.info), life: lifeOf(row) })),
    replicas: replicas.map((row) => {
      const report = fromBinary(ReplicaInfoSchema, row.info);
      return { report, life: lifeOf(row), draining: row.draining || drainedNodes.has(report.node) };
    }),
    quarantine: quarantine.map((row) => ({ ...row, version: Number(row.version) })),
  };
}

/** Judges who is there. `leaderSince` is when the leader began, by the database's clock. */
export function judgeObserved(observed: Observed, at: { leaderSince: number; leaseMs: number }): ObservedStates {
  const { now, quarantine } = observed;
  const presence = (life: LifeSigns) => presenceOf(life, { now, ...at });
  return {
    now,
    quarantine,
    deployments: observed.specs.map(desiredFromSpec),
    nodes: observed.nodes.map(({ report, life }) =>
      toNodeState(report, { presence: presence(life), draining: observed.drainedNodes.has(report.node) }),
    ),
    replicas: observed.replicas.map(({ report, life, draining }) =>
      toReplicaState(report, { presence: presence(life), draining }),
    ),
  };
}

function lifeOf(row: { lease_until: string | null; detached_at: string | null }): LifeSigns {
  return {
    leaseUntil: Number(row.lease_until),
    detachedAt: row.detached_at === null ? undefined : Number(row.detached_at),
  };
}
