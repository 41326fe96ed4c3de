import { RolloutPhase } from "@aimass/api/scheduler";
import { judgeVersion, routableReplicas } from "./gate.ts";
import type { Pass } from "./pass.ts";
import type { DesiredDeployment, HeldState } from "./snapshot.ts";

/** How far a version is, in the words of the API. */
export interface VersionPhase {
  readonly version: number;
  readonly phase: RolloutPhase;
  /** Empty when there is nothing to say. */
  readonly reason: string;
  /** Replicas that answer for it, or, before it answers, those that prepare it. */
  readonly replicaIds: readonly string[];
}

/** The phases of all versions a deployment holds or is letting go of, by number. */
export function phasesOf(pass: Pass, deployment: DesiredDeployment): VersionPhase[] {
  const versions = new Set(pass.rolesOf(deployment.key).keys());
  for (const version of pass.placements.versionsOf(deployment.key)) versions.add(version);
  return [...versions].sort((a, b) => a - b).map((version) => phaseOf(pass, deployment, version));
}

function phaseOf(pass: Pass, deployment: DesiredDeployment, version: number): VersionPhase {
  const { key } = deployment;
  const placed = pass.placements.of(key, version).map((p) => p.replica);
  const role = pass.rolesOf(key).get(version);
  const block = pass.findBlock(key, version);
  if (role === undefined) return { version, phase: RolloutPhase.DRAINING, reason: "", replicaIds: placed };
  if (block !== undefined) return { version, phase: RolloutPhase.FAILED, reason: block, replicaIds: [] };
  if (!pass.isAdmitted(key, version)) return preparing(pass, deployment, version);
  const routable = routableReplicas(pass, deployment, version);
  const reason = troubleOf(pass, deployment, version, routable);
  if (role === "warm") return { version, phase: RolloutPhase.WARM, reason, replicaIds: routable };
  const answers = isAddressed(pass, deployment, version);
  const phase = answers ? RolloutPhase.SERVING : RolloutPhase.PROBING;
  return { version, phase, reason, replicaIds: routable };
}

/** True for a version that an alias serves or that was asked for by number. */
function isAddressed(pass: Pass, deployment: DesiredDeployment, version: number): boolean {
  const served = deployment.aliases.some((alias) => pass.rollouts.of(deployment.key, alias).served === version);
  return served || deployment.versions.includes(version);
}

function preparing(pass: Pass, deployment: DesiredDeployment, version: number): VersionPhase {
  const { key } = deployment;
  const active = pass.placements.active(key, version);
  const replicaIds = active.map((placement) => placement.replica);
  const verdict = judgeVersion(pass, deployment, version);
  if (verdict.kind === "refused") return { version, phase: RolloutPhase.FAILED, reason: verdict.reason, replicaIds };
  if (active.length === 0) {
    return { version, phase: RolloutPhase.PENDING, reason: explainNoRoom(pass, deployment), replicaIds };
  }
  const held = active.map((p) => pass.fleet.held(p.replica, key, version));
  const states = held.map((h) => h?.state ?? "fetching");
  const told = held.find((h) => h !== undefined && h.state !== "ready" && h.reason !== "")?.reason;
  const reason = told ?? (verdict.kind === "waiting" ? verdict.reason : "");
  return { version, phase: slowestPhase(states), reason, replicaIds };
}

function slowestPhase(states: readonly HeldState[]): RolloutPhase {
  if (states.some((state) => state === "fetching" || state === "loading" || state === "unloading"))
    return RolloutPhase.LOADING;
  return states.includes("warming") ? RolloutPhase.WARMING : RolloutPhase.PROBING;
}

/** Why a version cannot be placed at all. */
export function explainNoRoom(pass: Pass, deployment: DesiredDeployment): string {
  const kind = deployment.deviceKind === "" ? "" : `${deployment.deviceKind} `;
  const open = pass.fleet.open(deployment);
  if (open.length > 0) return `no ${kind}replica has room for it`;
  return deployment.dedicated ? `its own ${kind}replicas are not up yet` : `no ${kind}replica is up`;
}

/** What keeps an admitted version from answering on every replica that should have it. */
function troubleOf(pass: Pass, deployment: DesiredDeployment, version: number, routable: readonly string[]): string {
  const { key } = deployment;
  for (const { replica } of pass.placements.active(key, version)) {
    if (routable.includes(replica)) continue;
    const held = pass.fleet.held(replica, key, version);
    if (held?.state === "failed") return `it failed to load on ${replica}: ${held.reason || "no reason given"}`;
    if (held?.state === "ready" && pass.fleet.isPresent(replica) && !pass.fleet.find(replica)?.draining) {
      return `${replica} answers its probe input differently and takes no requests`;
    }
  }
  if (routable.length > 0) return "";
  const active = pass.placements.active(key, version);
  if (active.length === 0) return explainNoRoom(pass, deployment);
  const present = active.filter((p) => pass.fleet.isPresent(p.replica));
  if (present.length === 0) return `the replicas that held it (${active.map((p) => p.replica).join(", ")}) are gone`;
  return `it is being loaded on ${present.map((p) => p.replica).join(", ")}`;
}
