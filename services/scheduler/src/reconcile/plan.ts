import { RolloutPhase } from "@aimass/api/scheduler";
import { FleetView, isKindOf } from "./fleet-view.ts";
import { type Outcome, reconcile } from "./reconcile.ts";
import { RolloutBook, targetVersion } from "./roles.ts";
import { describeBytes } from "./sizes.ts";
import type { DesiredDeployment, LibraryVersion, ReplicaState, Snapshot } from "./snapshot.ts";

/** What a deployment would take and whether it fits. */
export interface DeploymentPlan {
  /** One sentence a resource that is short; none: it fits. */
  readonly shortages: readonly string[];
  readonly outcome: Outcome;
  readonly memoryBytesPerReplica: number;
  readonly diskBytesPerNode: number;
}

/** Tries a deployment on a snapshot: what would be decided, and what is short for it. */
export function planDeployment(snapshot: Snapshot, deployment: DesiredDeployment): DeploymentPlan {
  const others = snapshot.deployments.filter((d) => d.key !== deployment.key);
  const tried = { ...snapshot, deployments: [...others, deployment] };
  const outcome = reconcile(tried);
  const versions = wantedVersions(snapshot, deployment);
  const memory = versions.map((version) => version.memoryBytes);
  const plan = {
    outcome,
    memoryBytesPerReplica: deployment.onDemand ? Math.max(0, ...memory) : sum(memory),
    diskBytesPerNode: sum(versions.map((version) => version.diskBytes)),
  };
  return { ...plan, shortages: findShortages(tried, deployment, versions, plan) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The versions a deployment wants now, as the library has them. */
function wantedVersions(snapshot: Snapshot, deployment: DesiredDeployment): LibraryVersion[] {
  const model = snapshot.models.get(deployment.key);
  const rollouts = new RolloutBook(snapshot.decisions.rollouts).ofDeployment(deployment);
  const numbers = new Set(rollouts.map((rollout) => targetVersion(deployment, model, rollout)));
  for (const version of deployment.versions) numbers.add(version);
  return [...numbers].flatMap((number) => model?.versions.get(number) ?? []);
}

function findShortages(
  snapshot: Snapshot,
  deployment: DesiredDeployment,
  versions: readonly LibraryVersion[],
  plan: Omit<DeploymentPlan, "shortages">,
): string[] {
  return deployment.dedicated
    ? findNodeShortages(snapshot, deployment, plan)
    : findReplicaShortages(snapshot, deployment, versions, plan);
}

function findReplicaShortages(
  snapshot: Snapshot,
  deployment: DesiredDeployment,
  versions: readonly LibraryVersion[],
  plan: Omit<DeploymentPlan, "shortages">,
): string[] {
  const fleet = new FleetView(snapshot);
  const open = fleet.open(deployment);
  if (open.length === 0) return [describeMissingReplicas(fleet, deployment)];
  const enough = Math.min(deployment.replicas, open.length);
  const { placements } = plan.outcome.decisions;
  const short = versions.filter(({ version }) => {
    const placed = placements.filter(
      (p) => p.key === deployment.key && p.version === version && p.releasedAt === undefined,
    );
    return placed.length < enough && !isBlocked(plan, deployment, version);
  });
  return [...new Set([...short.map((v) => describeLack(open, v)), ...findDiskShortages(snapshot, open, plan)])];
}

/** A version that may not run at all is told about by its status, not as a lack of room. */
function isBlocked(plan: Omit<DeploymentPlan, "shortages">, deployment: DesiredDeployment, version: number): boolean {
  const status = plan.outcome.statuses.get(deployment.key);
  return status?.versions.some((v) => Number(v.version) === version && v.phase === RolloutPhase.FAILED) === true;
}

function describeMissingReplicas(fleet: FleetView, deployment: DesiredDeployment): string {
  const kind = deployment.deviceKind;
  const others = fleet.replicas.filter((replica) => isKindOf(replica, { ...deployment, deviceKind: "" })).length;
  if (kind !== "" && others > 0) return `${kind}: needs a replica on a ${kind}, none of the ${others} replicas has one`;
  return "replicas: needs at least 1, none is up";
}

function describeLack(open: readonly ReplicaState[], version: LibraryVersion): string {
  const mostCpus = [...open].sort((a, b) => b.cpus - a.cpus)[0];
  if (mostCpus !== undefined && open.every((r) => r.cpus > 0 && r.cpus < version.threads)) {
    return `cpu: needs ${version.threads} threads a replica, the most CPUs are ${mostCpus.cpus} (replica ${mostCpus.id})`;
  }
  const free = (replica: ReplicaState) => replica.memoryLimit - replica.memoryUsed;
  const best = [...open].sort((a, b) => free(b) - free(a))[0] as ReplicaState;
  const resource = best.deviceKind === "gpu" ? "gpu memory" : "memory";
  const room = describeBytes(Math.max(0, free(best)));
  return `${resource}: needs ${describeBytes(version.memoryBytes)} a replica, at most ${room} free (replica ${best.id})`;
}

function findDiskShortages(
  snapshot: Snapshot,
  open: readonly ReplicaState[],
  plan: Omit<DeploymentPlan, "shortages">,
): string[] {
  const nodes = snapshot.nodes.filter(
    (node) => node.freeDisk > 0 && open.some((replica) => replica.node === node.name),
  );
  const best = [...nodes].sort((a, b) => b.freeDisk - a.freeDisk)[0];
  if (best === undefined || best.freeDisk >= plan.diskBytesPerNode) return [];
  return [
    `disk: needs ${describeBytes(plan.diskBytesPerNode)} a node, at most ${describeBytes(best.freeDisk)} free (node ${best.name})`,
  ];
}

function findNodeShortages(
  snapshot: Snapshot,
  deployment: DesiredDeployment,
  plan: Omit<DeploymentPlan, "shortages">,
): string[] {
  const got = plan.outcome.decisions.dedicated.filter((want) => want.key === deployment.key).length;
  const own = snapshot.replicas.filter((r) => r.dedicatedTo === deployment.key && r.presence === "attached").length;
  if (Math.max(got, own) >= deployment.replicas) return [];
  const up = snapshot.nodes.filter((node) => node.presence === "attached");
  if (up.length === 0) return ["nodes: dedicated replicas need a machine with an agent, none is up"];
  const nodes = up.filter((node) => !node.draining);
  if (nodes.length === 0) return [`nodes: needs a machine that takes versions, all ${up.length} are drained`];
  const kind = deployment.deviceKind;
  const suited = nodes.filter((node) => node.devices.some((device) => kind === "" || device.kind === kind));
  if (suited.length === 0) return [`${kind}: needs a ${kind}, none of the ${nodes.length} machines has one`];
  const best = [...suited].sort((a, b) => b.freeMemory - a.freeMemory)[0];
  if (best !== undefined && best.freeMemory > 0 && best.freeMemory < plan.memoryBytesPerReplica) {
    return [
      `memory: needs ${describeBytes(plan.memoryBytesPerReplica)} a replica, at most ${describeBytes(best.freeMemory)} free (node ${best.name})`,
    ];
  }
  // One dedicated replica of a model fits on a device; more wanted than devices are served by as many as there are.
  return got + own > 0 ? [] : [`devices: needs a free ${kind || "device"}, none is left`];
}
