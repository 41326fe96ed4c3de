import { isLoaded } from "./memory-ledger.ts";
import type { Pass } from "./pass.ts";
import type { Role } from "./roles.ts";
import { isRelieved, isSound, letGo } from "./shed.ts";
import type { DesiredDeployment, Placement, ReplicaState } from "./snapshot.ts";

/** Gives versions the replicas they lack: first what answers requests, then, in the room that is left, what is kept warm. */
export function fillPlacements(pass: Pass): void {
  const claims = new Map<string, number>();
  forEachVersion(pass, "wanted", (deployment, version) => {
    const filled = fillVersion(pass, deployment, version, noneClaimed);
    if (!filled) claimRoom(pass, deployment, version, claims);
  });
  for (const [replica, bytes] of claims) evictWarm(pass, replica, bytes);
  forEachVersion(pass, "warm", (deployment, version) => fillVersion(pass, deployment, version, claims));
}

const noneClaimed: ReadonlyMap<string, number> = new Map();

function forEachVersion(pass: Pass, role: Role, visit: (deployment: DesiredDeployment, version: number) => void): void {
  for (const deployment of pass.deployments) {
    for (const [version, has] of [...pass.rolesOf(deployment.key)].sort(([a], [b]) => a - b)) {
      if (has === role && pass.findBlock(deployment.key, version) === undefined) visit(deployment, version);
    }
  }
}

/** Places a version on as many replicas as it lacks; false when there was no room for all. Claimed replicas take nothing. */
function fillVersion(
  pass: Pass,
  deployment: DesiredDeployment,
  version: number,
  claimed: ReadonlyMap<string, number>,
): boolean {
  returnHome(pass, deployment, version, claimed);
  const active = pass.placements.active(deployment.key, version);
  const sound = active.filter((p) => isSound(pass, deployment, p) && !isRelieved(pass, deployment, p));
  const orphans = orphansOf(pass, deployment, active);
  for (let missing = deployment.replicas - sound.length; missing > 0; missing -= 1) {
    const replica = pickReplica(pass, deployment, version, claimed);
    if (replica === undefined) return false;
    const orphan = orphans.shift();
    const home = orphan?.standsInFor ?? orphan?.replica;
    if (orphan !== undefined && !pass.fleet.isPresent(orphan.replica)) pass.placements.drop(orphan);
    pass.placements.put(placementOn(deployment, version, replica.id, home));
  }
  return true;
}

function placementOn(deployment: DesiredDeployment, version: number, replica: string, home?: string): Placement {
  const placement = { key: deployment.key, version, replica };
  return home === undefined || home === replica ? placement : { ...placement, standsInFor: home };
}

/** Placements whose replica drains or is gone, and for which nobody stands in yet. */
function orphansOf(pass: Pass, deployment: DesiredDeployment, active: readonly Placement[]): Placement[] {
  const covered = new Set(active.map((placement) => placement.standsInFor));
  return active.filter(
    (p) => !isSound(pass, deployment, p) && !covered.has(p.standsInFor ?? p.replica) && !covered.has(p.replica),
  );
}

/** A replica that came back gets the versions that others hold for it. */
function returnHome(
  pass: Pass,
  deployment: DesiredDeployment,
  version: number,
  claimed: ReadonlyMap<string, number>,
): void {
  for (const standIn of pass.placements.active(deployment.key, version)) {
    if (standIn.standsInFor === undefined || !isSound(pass, deployment, standIn)) continue;
    const home = candidates(pass, deployment, version).find((replica) => replica.id === standIn.standsInFor);
    if (home === undefined || claimed.has(home.id)) continue;
    pass.placements.put(placementOn(deployment, version, home.id));
  }
}

/** Replicas that could take the version now. One that still has it loaded needs no room. */
function candidates(pass: Pass, deployment: DesiredDeployment, version: number): ReplicaState[] {
  return pass.fleet.open(deployment).filter((replica) => {
    const placement = pass.placements.find(deployment.key, version, replica.id);
    if (placement !== undefined) return placement.releasedAt !== undefined;
    const lack = pass.ledger.lack(replica.id, deployment.key, version);
    return pass.ledger.free(replica.id) >= lack && hasThreads(pass, deployment, version, replica);
  });
}

function hasThreads(pass: Pass, deployment: DesiredDeployment, version: number, replica: ReplicaState): boolean {
  const threads = pass.versionOf(deployment.key, version)?.threads ?? 0;
  return replica.cpus === 0 || threads <= replica.cpus;
}

function pickReplica(
  pass: Pass,
  deployment: DesiredDeployment,
  version: number,
  claimed: ReadonlyMap<string, number>,
): ReplicaState | undefined {
  const neighbours = neighboursOf(pass, deployment, version);
  let best: { replica: ReplicaState; rank: Rank } | undefined;
  for (const replica of candidates(pass, deployment, version)) {
    if (claimed.has(replica.id)) continue;
    const rank = rankOf(pass, { key: deployment.key, version, replica, neighbours });
    if (best === undefined || compareRanks(rank, best.rank) < 0) best = { replica, rank };
  }
  return best?.replica;
}

type Rank = readonly (number | string)[];

/** Where a version and its siblings are. */
interface Neighbours {
  /** Placements of the version, by node. */
  readonly onNode: ReadonlyMap<string, number>;
  /** Replicas that hold another wanted version of the model. */
  readonly siblings: ReadonlySet<string>;
}

function neighboursOf(pass: Pass, { key }: DesiredDeployment, version: number): Neighbours {
  const onNode = new Map<string, number>();
  for (const { replica } of pass.placements.active(key, version)) {
    const node = pass.fleet.find(replica)?.node ?? "";
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const others = [...pass.rolesOf(key)].filter(([other, role]) => other !== version && role === "wanted");
  const siblings = others.flatMap(([other]) => pass.placements.active(key, other).map((p) => p.replica));
  return { onNode, siblings: new Set(siblings) };
}

/**
 * Lower is better: where it is still loaded; a node that has fewer of it; beside the model's other versions, so that a rollout does not
 * shift the balance; the least loaded; a spread by name, so that equal replicas are not all tried in one order.
 */
function rankOf(pass: Pass, o: { key: string; version: number; replica: ReplicaState; neighbours: Neighbours }): Rank {
  const { key, version, replica, neighbours } = o;
  const released = pass.placements.find(key, version, replica.id) !== undefined;
  const onNode = neighbours.onNode.get(replica.node) ?? 0;
  const isSibling = neighbours.siblings.has(replica.id);
  const load = pass.ledger.load(replica.id);
  return [released ? 0 : 1, onNode, isSibling ? 0 : 1, ...load, spread(key, replica.id), replica.id];
}

function compareRanks(a: Rank, b: Rank): number {
  for (let i = 0; i < a.length; i += 1) {
    const [left, right] = [a[i] as number | string, b[i] as number | string];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** FNV-1a of both names: the same everywhere, different for every pair. */
function spread(key: string, replica: string): number {
  let hash = 0x811c9dc5;
  for (const char of `${key}\n${replica}`) hash = Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193) >>> 0;
  return hash;
}

/** Sets room aside where unloading warm versions would make enough of it. */
function claimRoom(pass: Pass, deployment: DesiredDeployment, version: number, claims: Map<string, number>): void {
  for (const replica of pass.fleet.open(deployment)) {
    const need = pass.ledger.lack(replica.id, deployment.key, version);
    const free = pass.ledger.free(replica.id) - (claims.get(replica.id) ?? 0);
    if (pass.placements.find(deployment.key, version, replica.id) !== undefined) continue;
    if (free + reclaimable(pass, replica.id) < need || !hasThreads(pass, deployment, version, replica)) continue;
    claims.set(replica.id, (claims.get(replica.id) ?? 0) + need);
    return;
  }
}

/** Bytes that come free when the warm versions of a replica go, beside those that go anyway. */
function reclaimable(pass: Pass, replica: string): number {
  return sumOfNeeds(pass, warmOn(pass, replica)) + leavingBytes(pass, replica);
}

/** Bytes of the versions a replica is about to unload: released ones, and loaded ones it is no longer assigned. */
function leavingBytes(pass: Pass, replica: string): number {
  const released = pass.placements.on(replica).filter((p) => p.releasedAt !== undefined);
  const held = pass.fleet.find(replica)?.held ?? [];
  const unassigned = held.filter(
    (h) => isLoaded(h.state) && pass.placements.find(h.key, h.version, replica) === undefined,
  );
  return sumOfNeeds(pass, released) + sumOfNeeds(pass, unassigned);
}

function sumOfNeeds(pass: Pass, versions: readonly { key: string; version: number }[]): number {
  return versions.reduce((sum, { key, version }) => sum + pass.ledger.need(key, version), 0);
}

function evictWarm(pass: Pass, replica: string, claimedBytes: number): void {
  let projected = pass.ledger.free(replica) + leavingBytes(pass, replica) - claimedBytes;
  for (const placement of warmOn(pass, replica)) {
    if (projected >= 0) return;
    projected += pass.ledger.need(placement.key, placement.version);
    letGo(pass, placement);
  }
}

function warmOn(pass: Pass, replica: string): Placement[] {
  return pass.placements
    .on(replica)
    .filter((p) => p.releasedAt === undefined && pass.rolesOf(p.key).get(p.version) === "warm");
}
