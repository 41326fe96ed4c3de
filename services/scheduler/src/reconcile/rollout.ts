import { replicasNeeded, routableReplicas } from "./gate.ts";
import type { Pass } from "./pass.ts";
import { targetVersion } from "./roles.ts";
import type { DesiredDeployment, Rollout } from "./snapshot.ts";

/** How far back an alias remembers what it served. */
const rememberedVersions = 16;

/** Moves every alias to the version the library wants, once that version answers on enough replicas. */
export function shiftAliases(pass: Pass): void {
  for (const deployment of pass.deployments) {
    for (const alias of deployment.aliases) {
      pass.rollouts.put(nextRollout(pass, deployment, pass.rollouts.of(deployment.key, alias)));
    }
  }
}

function nextRollout(pass: Pass, deployment: DesiredDeployment, rollout: Rollout): Rollout {
  const wanted = targetVersion(deployment, pass.modelOf(deployment.key), rollout);
  if (wanted === rollout.served) return rollout;
  // An alias that the library no longer has goes nowhere; what it served stays warm like after any move.
  if (wanted !== 0 && !canServe(pass, deployment, wanted)) return rollout;
  const before = rollout.served === 0 ? [] : [rollout.served];
  const previous = [...before, ...rollout.previous]
    .filter((version) => version !== wanted)
    .slice(0, rememberedVersions);
  return { ...rollout, served: wanted, previous };
}

function canServe(pass: Pass, deployment: DesiredDeployment, version: number): boolean {
  if (pass.findBlock(deployment.key, version) !== undefined) return false;
  const routable = routableReplicas(pass, deployment, version).length;
  return routable > 0 && routable >= replicasNeeded(pass, deployment, version);
}
