import { type DeploymentStatus, DeploymentStatusSchema, RolloutPhase } from "@aimass/api/scheduler";
import { create } from "@bufbuild/protobuf";
import type { Pass } from "./pass.ts";
import { phasesOf, type VersionPhase } from "./phase.ts";
import { targetVersion, wantedVersion } from "./roles.ts";
import type { DesiredDeployment } from "./snapshot.ts";
import { type AliasProgress, summarise } from "./summary.ts";

/** The status of a deployment, without the time of its change. */
export function statusOf(pass: Pass, deployment: DesiredDeployment): DeploymentStatus {
  const phases = phasesOf(pass, deployment);
  const aliases = deployment.aliases.map((alias): AliasProgress => {
    const model = pass.modelOf(deployment.key);
    const rollout = pass.rollouts.of(deployment.key, alias);
    const target = targetVersion(deployment, model, rollout);
    return { alias, wanted: wantedVersion(model, alias), target, served: rollout.served };
  });
  return create(DeploymentStatusSchema, {
    versions: phases.map((phase) => ({
      version: BigInt(phase.version),
      phase: phase.phase,
      reason: phase.reason,
      replicaIds: [...phase.replicaIds],
    })),
    aliases: aliases.map(({ alias, wanted, served }) => ({
      alias,
      wantedVersion: BigInt(wanted),
      servedVersion: BigInt(served),
    })),
    settled: isSettled(deployment, phases, aliases),
    summary: summarise(deployment, phases, aliases, pass.fleet.suitable(deployment).length),
  });
}

function isSettled(
  deployment: DesiredDeployment,
  phases: readonly VersionPhase[],
  aliases: readonly AliasProgress[],
): boolean {
  const full = new Set(
    phases
      .filter((phase) => phase.phase === RolloutPhase.SERVING && phase.replicaIds.length >= deployment.replicas)
      .map((phase) => phase.version),
  );
  const aliasesDone = aliases.every(({ target, served }) => target !== 0 && target === served && full.has(served));
  return aliasesDone && deployment.versions.every((version) => full.has(version));
}
