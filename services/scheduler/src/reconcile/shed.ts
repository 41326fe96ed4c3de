import { isKindOf, isSuitable } from "./fleet-view.ts";
import type { Pass } from "./pass.ts";
import type { DesiredDeployment, Placement } from "./snapshot.ts";

/** Takes away placements that have had their time: of versions nobody wants, on replicas that should not hold them, more than are wanted. */
export function shedPlacements(pass: Pass): void {
  const deployments = new Map(pass.deployments.map((deployment) => [deployment.key, deployment]));
  const versions = new Map<string, Placement>();
  for (const placement of pass.placements.list()) {
    if (isFinished(pass, placement)) pass.placements.drop(placement);
    else versions.set(`${placement.key}@${placement.version}`, placement);
  }
  for (const { key, version } of versions.values()) {
    const deployment = deployments.get(key);
    const wanted = deployment !== undefined && pass.rolesOf(key).has(version);
    if (pass.isQuarantined(key, version)) dropAll(pass, key, version);
    else if (!wanted) for (const placement of pass.placements.active(key, version)) letGo(pass, placement);
    else shedVersion(pass, deployment, version);
  }
}

/** Ends a placement: after the drain time when requests may be on their way to it, at once when it never took any. */
export function letGo(pass: Pass, placement: Placement): void {
  const { key, version, replica } = placement;
  const tookRequests = pass.isAdmitted(key, version) && pass.fleet.isReady(replica, key, version);
  if (tookRequests) pass.placements.put({ ...placement, releasedAt: pass.snapshot.now });
  else pass.placements.drop(placement);
}

/** True for a placement of a version on a replica that is there, stays there and is of the right kind. */
export function isSound(pass: Pass, deployment: DesiredDeployment, placement: Placement): boolean {
  const replica = pass.fleet.find(placement.replica);
  return replica !== undefined && isSuitable(replica, deployment);
}

/** A stand-in whose replica has its placement back no longer counts. */
export function isRelieved(pass: Pass, deployment: DesiredDeployment, placement: Placement): boolean {
  if (placement.standsInFor === undefined) return false;
  const home = pass.placements.find(placement.key, placement.version, placement.standsInFor);
  return home !== undefined && home.releasedAt === undefined && isSound(pass, deployment, home);
}

function isFinished(pass: Pass, placement: Placement): boolean {
  if (placement.releasedAt === undefined) return false;
  if (!pass.fleet.isPresent(placement.replica)) return true;
  return pass.snapshot.now - placement.releasedAt >= pass.snapshot.timings.drainMs;
}

function dropAll(pass: Pass, key: string, version: number): void {
  for (const placement of pass.placements.of(key, version)) pass.placements.drop(placement);
}

function shedVersion(pass: Pass, deployment: DesiredDeployment, version: number): void {
  const { key } = deployment;
  const isReady = (p: Placement) => pass.fleet.isReady(p.replica, key, version);
  const sound = pass.placements.active(key, version).filter((p) => isSound(pass, deployment, p));
  for (const placement of sound.filter((p) => isRelieved(pass, deployment, p))) {
    if (pass.fleet.isReady(placement.standsInFor as string, key, version)) letGo(pass, placement);
  }
  const counted = sound.filter((p) => !isRelieved(pass, deployment, p));
  const surplus = [...counted].sort((a, b) => worth(pass, b) - worth(pass, a)).slice(deployment.replicas);
  for (const placement of surplus) letGo(pass, placement);
  shedUnsound(pass, deployment, version, counted.filter(isReady).length);
}

/** Placements on replicas that drain, changed kind or are gone go once there is enough of the version elsewhere. */
function shedUnsound(pass: Pass, deployment: DesiredDeployment, version: number, soundReady: number): void {
  const enough = Math.min(deployment.replicas, pass.fleet.suitable(deployment).length);
  for (const placement of pass.placements.active(deployment.key, version)) {
    if (isSound(pass, deployment, placement)) continue;
    const replica = pass.fleet.find(placement.replica);
    const returns = replica?.presence === "gone" && isKindOf(replica, deployment);
    const replaced = soundReady >= Math.max(1, enough);
    if (returns ? soundReady >= deployment.replicas : replaced) letGo(pass, placement);
  }
}

/** What is ready and at home is worth keeping most. */
function worth(pass: Pass, placement: Placement): number {
  const ready = pass.fleet.isReady(placement.replica, placement.key, placement.version) ? 2 : 0;
  return ready + (placement.standsInFor === undefined ? 1 : 0);
}
