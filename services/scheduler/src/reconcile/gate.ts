import type { Pass } from "./pass.ts";
import { isSound } from "./shed.ts";
import { type DesiredDeployment, type HeldVersion, type Placement, versionKey } from "./snapshot.ts";

/** How a version does on the replicas it was given to. */
export type GateResult =
  | { readonly kind: "passed" }
  | { readonly kind: "waiting"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/** Lets versions through that are ready on enough replicas, all of which answer the probe input alike. */
export function admitVersions(pass: Pass): void {
  for (const deployment of pass.deployments) {
    for (const version of pass.rolesOf(deployment.key).keys()) {
      const name = versionKey(deployment.key, version);
      if (pass.isQuarantined(deployment.key, version)) pass.admissions.delete(name);
      else if (pass.isAdmitted(deployment.key, version)) refreshParity(pass, deployment, version);
      else if (judgeVersion(pass, deployment, version).kind === "passed") {
        const parity = commonDigests(pass, deployment.key, version, {});
        pass.admissions.set(name, { key: deployment.key, version, parity });
      }
    }
  }
}

/** Whether a version that takes no traffic yet may take it. */
export function judgeVersion(pass: Pass, deployment: DesiredDeployment, version: number): GateResult {
  const { key } = deployment;
  const block = pass.findBlock(key, version);
  if (block !== undefined) return { kind: "refused", reason: block };
  const active = pass.placements.active(key, version);
  for (const { replica } of active) {
    const held = pass.fleet.held(replica, key, version);
    if (held?.state === "failed")
      return { kind: "refused", reason: `it failed to load on ${replica}: ${held.reason || "no reason given"}` };
  }
  const clash = findParityClash(pass, key, version, active);
  if (clash !== undefined) return { kind: "refused", reason: clash };
  const ready = active.filter(
    (p) => pass.fleet.isReady(p.replica, key, version) && isSound(pass, deployment, p),
  ).length;
  const need = replicasNeeded(pass, deployment, version);
  return ready >= need
    ? { kind: "passed" }
    : { kind: "waiting", reason: `it is ready on ${ready} of ${need} replicas` };
}

/**
 * How many replicas must be ready before a version takes traffic: as many as wanted or as there are. When there is nothing that answers in its
 * place, as many as there was room for.
 */
export function replicasNeeded(pass: Pass, deployment: DesiredDeployment, version: number): number {
  const full = Math.max(1, Math.min(deployment.replicas, pass.fleet.suitable(deployment).length));
  const covered = deployment.aliases.some((alias) => {
    const { served } = pass.rollouts.of(deployment.key, alias);
    return served !== 0 && served !== version && routableReplicas(pass, deployment, served).length > 0;
  });
  if (covered) return full;
  const placed = pass.placements.active(deployment.key, version).filter((p) => isSound(pass, deployment, p)).length;
  return Math.max(1, Math.min(full, placed));
}

/** Replicas that may answer requests for a version, in order of id: ready, alike, and not about to end while others are there. */
export function routableReplicas(pass: Pass, deployment: DesiredDeployment, version: number): string[] {
  const { key } = deployment;
  const admission = pass.admissions.get(versionKey(key, version));
  if (admission === undefined || pass.isQuarantined(key, version)) return [];
  const ready = pass.placements
    .active(key, version)
    .filter((p) => pass.fleet.isReady(p.replica, key, version) && agrees(pass, p, admission.parity));
  const sound = ready.filter((p) => isSound(pass, deployment, p));
  return (sound.length > 0 ? sound : ready).map((p) => p.replica);
}

function agrees(pass: Pass, placement: Placement, parity: Readonly<Record<string, string>>): boolean {
  const digest = digestOf(pass, placement);
  const agreed = digest === undefined ? undefined : parity[digest.kind];
  return digest === undefined || agreed === undefined || agreed === digest.value;
}

/** An admitted version learns the digest of a device kind it had not met, and follows when every replica of a kind has a new one. */
function refreshParity(pass: Pass, deployment: DesiredDeployment, version: number): void {
  const name = versionKey(deployment.key, version);
  const admission = pass.admissions.get(name);
  if (admission === undefined) return;
  const parity = commonDigests(pass, deployment.key, version, admission.parity);
  pass.admissions.set(name, { ...admission, parity });
}

/** By device kind: the recorded digest as long as one replica still has it, else the most frequent one. */
function commonDigests(
  pass: Pass,
  key: string,
  version: number,
  recorded: Readonly<Record<string, string>>,
): Record<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const placement of pass.placements.active(key, version)) {
    const digest = digestOf(pass, placement);
    if (digest === undefined) continue;
    const ofKind = counts.get(digest.kind) ?? new Map<string, number>();
    ofKind.set(digest.value, (ofKind.get(digest.value) ?? 0) + 1);
    counts.set(digest.kind, ofKind);
  }
  const result: Record<string, string> = { ...recorded };
  for (const [kind, ofKind] of counts) {
    const before = recorded[kind];
    if (before !== undefined && ofKind.has(before)) continue;
    const [most] = [...ofKind].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    if (most !== undefined) result[kind] = most[0];
  }
  return Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function findParityClash(pass: Pass, key: string, version: number, active: readonly Placement[]): string | undefined {
  const first = new Map<string, { replica: string; value: string }>();
  for (const placement of active) {
    const digest = digestOf(pass, placement);
    if (digest === undefined) continue;
    const other = first.get(digest.kind);
    if (other === undefined) first.set(digest.kind, { replica: placement.replica, value: digest.value });
    else if (other.value !== digest.value) {
      return `${other.replica} and ${placement.replica} answer the probe input of ${versionKey(key, version)} differently`;
    }
  }
  return undefined;
}

function digestOf(pass: Pass, placement: Placement): { kind: string; value: string } | undefined {
  const replica = pass.fleet.find(placement.replica);
  const held: HeldVersion | undefined = pass.fleet.held(placement.replica, placement.key, placement.version);
  if (replica === undefined || !pass.fleet.isPresent(replica.id) || held?.state !== "ready" || held.parity === "")
    return undefined;
  return { kind: replica.deviceKind, value: held.parity };
}
