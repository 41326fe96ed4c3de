import {
  type AliasRoute,
  AliasRouteSchema,
  RolloutPhase,
  type RouteEntry,
  RouteEntrySchema,
  type VersionRoute,
  VersionRouteSchema,
} from "@aimass/api/scheduler";
import { create } from "@bufbuild/protobuf";
import { routableReplicas } from "./gate.ts";
import type { Pass } from "./pass.ts";
import { phasesOf, type VersionPhase } from "./phase.ts";
import { aliasesOf } from "./roles.ts";
import type { DesiredDeployment, ReplicaState } from "./snapshot.ts";

/** All of an alias's traffic, in the unit of AliasTarget.share. */
const wholeShare = 10_000;

/** What routers are told: every replica that is there, and every deployed model with its versions and aliases. Ordered by key. */
export function routesOf(pass: Pass): RouteEntry[] {
  const models = pass.deployments.map((deployment) => modelEntry(pass, deployment));
  const used = new Set(
    models.flatMap((m) => (m.entry.case === "model" ? m.entry.value.versions : [])).flatMap((v) => v.replicaIds),
  );
  const replicas = pass.fleet.replicas
    .filter((replica) => replica.presence !== "gone" && replica.address !== "")
    .map((replica) => replicaEntry(replica, used.has(replica.id)));
  return [...replicas, ...models].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** A draining replica takes requests until what it serves is ready elsewhere; one that is about to end takes none. */
function replicaEntry(replica: ReplicaState, isUsed: boolean): RouteEntry {
  const { id, address, incarnation, deviceId: device } = replica;
  const draining = replica.leaving || (replica.draining && !isUsed);
  return create(RouteEntrySchema, {
    key: `replica/${id}`,
    entry: { case: "replica", value: { id, address, incarnation, draining, device } },
  });
}

function modelEntry(pass: Pass, deployment: DesiredDeployment): RouteEntry {
  const { project, model: name } = deployment;
  const versions = phasesOf(pass, deployment)
    .filter((phase) => phase.phase !== RolloutPhase.DRAINING)
    .map((phase) => versionRoute(pass, deployment, phase));
  const aliases = deployment.aliases.map((alias) => aliasRoute(pass, deployment, alias));
  return create(RouteEntrySchema, {
    key: `model/${deployment.key}`,
    entry: { case: "model", value: { project, name, versions, aliases } },
  });
}

function versionRoute(pass: Pass, deployment: DesiredDeployment, phase: VersionPhase): VersionRoute {
  const { version } = phase;
  const replicaIds = routableReplicas(pass, deployment, version);
  const runLimitMs = pass.versionOf(deployment.key, version)?.runLimitMs ?? 0;
  const reason = phase.reason === "" ? "it is being loaded" : phase.reason;
  const unavailableReason =
    replicaIds.length > 0 ? "" : `Version ${version} of ${deployment.key} is not served: ${reason}.`;
  const role = pass.rolesOf(deployment.key).get(version);
  const aliases = aliasesOf(deployment, pass.rollouts.ofDeployment(deployment), pass.modelOf(deployment.key), {
    version,
    role,
  });
  return create(VersionRouteSchema, {
    version: BigInt(version),
    replicaIds,
    runLimitMs,
    unavailableReason,
    warm: role === "warm",
    aliases,
  });
}

function aliasRoute(pass: Pass, deployment: DesiredDeployment, alias: string): AliasRoute {
  const { served } = pass.rollouts.of(deployment.key, alias);
  const targets = served === 0 ? [] : [{ version: BigInt(served), share: wholeShare }];
  return create(AliasRouteSchema, { alias, targets });
}
