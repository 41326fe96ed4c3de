import { type DeploymentStatus, RolloutPhase } from "@aimass/api/scheduler";
import type { ModelKey } from "../reconcile/snapshot.ts";

/** A step of a rollout worth telling: an alias that goes elsewhere, or a version that was refused. */
export interface Transition {
  readonly key: ModelKey;
  /** Empty for a version no alias is at. */
  readonly alias: string;
  readonly version: number;
  readonly phase: "SERVING" | "FAILED";
  readonly reason: string;
}

/** What happened between two sets of statuses. */
export function findTransitions(
  before: ReadonlyMap<ModelKey, DeploymentStatus>,
  after: ReadonlyMap<ModelKey, DeploymentStatus>,
): Transition[] {
  return [...after].flatMap(([key, status]) => [
    ...shifts(key, before.get(key), status),
    ...failures(key, before.get(key), status),
  ]);
}

function shifts(key: ModelKey, before: DeploymentStatus | undefined, after: DeploymentStatus): Transition[] {
  return after.aliases.flatMap(({ alias, servedVersion }) => {
    const old = before?.aliases.find((a) => a.alias === alias)?.servedVersion ?? 0n;
    if (servedVersion === 0n || servedVersion === old) return [];
    const reason = old === 0n ? "" : `it served version ${old} before`;
    return [{ key, alias, version: Number(servedVersion), phase: "SERVING" as const, reason }];
  });
}

function failures(key: ModelKey, before: DeploymentStatus | undefined, after: DeploymentStatus): Transition[] {
  return after.versions.flatMap(({ version, phase, reason }) => {
    const old = before?.versions.find((v) => v.version === version)?.phase;
    if (phase !== RolloutPhase.FAILED || old === RolloutPhase.FAILED) return [];
    const alias = after.aliases.find((a) => a.wantedVersion === version)?.alias ?? "";
    return [{ key, alias, version: Number(version), phase: "FAILED" as const, reason }];
  });
}
