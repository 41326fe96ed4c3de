import type { DeploymentStatus, RouteEntry } from "@aimass/api/scheduler";
import { dedicateReplicas } from "./dedicated.ts";
import { fillPlacements } from "./fill.ts";
import { admitVersions } from "./gate.ts";
import { Pass } from "./pass.ts";
import { shiftAliases } from "./rollout.ts";
import { routesOf } from "./routes.ts";
import { shedPlacements } from "./shed.ts";
import type { Admission, Decisions, ModelKey, Snapshot } from "./snapshot.ts";
import { statusOf } from "./status.ts";

/** What a reconciliation decides. */
export interface Outcome {
  readonly decisions: Decisions;
  readonly routes: readonly RouteEntry[];
  readonly statuses: ReadonlyMap<ModelKey, DeploymentStatus>;
}

/** A shift of an alias makes its old version warm or drains it, which frees room: each takes one more step. More than this means a cycle. */
const maxSteps = 12;

/**
 * The policy: from what should be, what is there and what was decided before, to what to do now. Pure; feeding its decisions back with the
 * same snapshot changes nothing.
 */
export function reconcile(snapshot: Snapshot): Outcome {
  let decisions = snapshot.decisions;
  for (let step = 0; step < maxSteps; step += 1) {
    const next = takeStep(snapshot, decisions);
    const isSteady = JSON.stringify(next) === JSON.stringify(decisions);
    decisions = next;
    if (isSteady) break;
  }
  const pass = new Pass(snapshot, decisions);
  const statuses = new Map(pass.deployments.map((deployment) => [deployment.key, statusOf(pass, deployment)]));
  return { decisions, routes: routesOf(pass), statuses };
}

function takeStep(snapshot: Snapshot, before: Decisions): Decisions {
  const pass = new Pass(snapshot, before);
  shedPlacements(pass);
  fillPlacements(pass);
  admitVersions(pass);
  shiftAliases(pass);
  return {
    placements: pass.placements.list(),
    rollouts: pass.rollouts.list(pass.deployments),
    admissions: keptAdmissions(pass),
    dedicated: dedicateReplicas(pass, before.dedicated),
  };
}

/** An admission lasts as long as someone wants the version or a replica still holds it. */
function keptAdmissions(pass: Pass): Admission[] {
  return [...pass.admissions]
    .filter(([, { key, version }]) => {
      return pass.rolesOf(key).has(version) || pass.placements.of(key, version).length > 0;
    })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, admission]) => admission);
}
