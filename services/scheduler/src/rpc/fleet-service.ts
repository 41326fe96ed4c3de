import { type FleetService, type Node, NodeSchema, type ReplicaInfo, ReplicaInfoSchema } from "@aimass/api/scheduler";
import { AimassError, type Clock } from "@aimass/core";
import { everything, formatResource, type PolicyStore } from "@aimass/identity";
import { readPage, requireVerb } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Changes } from "../changes.ts";
import type { SchedulerStore } from "../database.ts";
import { setDraining, setNodeDraining, splitDrainedNode } from "../fleet/postgres-fleet.ts";
import { readModelName } from "../names.ts";
import type { Quarantine } from "../quarantine/postgres-quarantine.ts";
import { type Observed, readObserved } from "../state/observed.ts";

export interface FleetServiceOptions {
  readonly store: SchedulerStore;
  readonly changes: Changes;
  readonly quarantine: Quarantine;
  readonly policy: PolicyStore;
  readonly clock: Clock;
}

/** `aimass.scheduler.v1.FleetService`. */
export function createFleetService(o: FleetServiceOptions): ServiceImpl<typeof FleetService> {
  const require = (context: HandlerContext, verb: string) => requireVerb(context, o.policy, verb, everything, o.clock);
  return {
    async listNodes(request, context) {
      require(context, "node.view");
      const observed = await readObserved(o.store.db);
      const replicas = describeReplicas(observed);
      const nodes = describeNodes(observed, replicas);
      const known = new Set(nodes.map((node) => node.name));
      const items = [
        ...nodes.map((node) => ({ key: ["node", node.name] as const, node })),
        ...replicas
          .filter(({ node }) => !known.has(node))
          .map((replica) => ({ key: ["replica", replica.id] as const, replica })),
      ];
      const { size, after, tokenOf } = readPage(context, request, 2);
      const rest = items.filter(({ key }) => after === undefined || isAfter(key, after));
      const shown = rest.slice(0, size);
      return {
        nodes: shown.flatMap((item) => ("node" in item ? [item.node] : [])),
        standaloneReplicas: shown.flatMap((item) => ("replica" in item ? [item.replica] : [])),
        page: { nextToken: tokenOf(rest.length > size ? shown.at(-1)?.key : undefined) },
      };
    },
    async drainReplica(request, context) {
      require(context, "node.manage");
      const { replicaId, draining } = request;
      const drainedWith = draining ? undefined : drainedMachineOf(await readObserved(o.store.db), replicaId);
      if (drainedWith !== undefined) await splitDrainedNode(o.store, o.changes, drainedWith);
      if (!(await setDraining(o.store, o.changes, replicaId, draining))) throw noReplica(replicaId);
      const replica = describeReplicas(await readObserved(o.store.db)).find(({ id }) => id === replicaId);
      if (replica === undefined) throw noReplica(replicaId);
      return { replica };
    },
    async drainNode({ node, draining }, context) {
      require(context, "node.manage");
      const before = await readObserved(o.store.db);
      const replicaIds = replicasOf(before, node).map(({ id }) => id);
      if (
        replicaIds.length === 0 &&
        !before.drainedNodes.has(node) &&
        !before.nodes.some((n) => n.report.node === node)
      )
        throw noNode(node);
      await setNodeDraining(o.store, o.changes, { node, draining, replicaIds });
      return { replicas: replicasOf(await readObserved(o.store.db), node) };
    },
    async listQuarantine(request, context) {
      require(context, "node.view");
      const { size, after, tokenOf } = readPage(context, request, 2);
      const found = await o.quarantine.list({ size, after });
      const quarantined = found.slice(0, size);
      const last = quarantined.at(-1);
      const more = found.length > size && last !== undefined;
      const key = more ? [formatResource(last.project, last.model), String(last.version)] : undefined;
      return { quarantined, page: { nextToken: tokenOf(key) } };
    },
    async releaseQuarantine(request, context) {
      const principal = require(context, "node.manage");
      await o.quarantine.release(readModelName(request).key, request.version, principal.id);
      return {};
    },
  };
}

/** In the order of the list: nodes by name, then replicas by id. */
function isAfter([kind, name]: readonly [string, string], [lastKind = "", lastName = ""]: readonly string[]): boolean {
  return kind === lastKind ? name > lastName : kind > lastKind;
}

function describeReplicas(observed: Observed): ReplicaInfo[] {
  return observed.replicas
    .map(({ report, life, draining }) =>
      create(ReplicaInfoSchema, {
        ...report,
        draining: report.draining || draining,
        live: life.leaseUntil > observed.now,
      }),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function replicasOf(observed: Observed, node: string): ReplicaInfo[] {
  return describeReplicas(observed).filter((replica) => replica.node === node);
}

/** The machine that a replica is drained with, and the replicas that it has. */
function drainedMachineOf(observed: Observed, replicaId: string): { node: string; replicaIds: string[] } | undefined {
  const node = describeReplicas(observed).find(({ id }) => id === replicaId)?.node ?? "";
  if (!observed.drainedNodes.has(node)) return undefined;
  return { node, replicaIds: replicasOf(observed, node).map(({ id }) => id) };
}

function describeNodes(observed: Observed, replicas: readonly ReplicaInfo[]): Node[] {
  return observed.nodes
    .map(({ report, life }) =>
      create(NodeSchema, {
        name: report.node,
        devices: report.devices,
        replicas: replicas.filter((replica) => replica.node === report.node),
        leaseUntil: timestampFromMs(life.leaseUntil),
        draining: observed.drainedNodes.has(report.node),
        ...(report.total && { total: report.total }),
        ...(report.free && { free: report.free }),
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function noNode(name: string): AimassError {
  const remedy = "List them: aimass nodes list";
  return new AimassError("NOT_FOUND", `There is no machine "${name.slice(0, 100)}".`, { field: "node", remedy });
}

function noReplica(id: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no replica "${id}".`, { remedy: "List them: aimass status" });
}
