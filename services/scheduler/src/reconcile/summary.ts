import { RolloutPhase } from "@aimass/api/scheduler";
import type { VersionPhase } from "./phase.ts";
import type { DesiredDeployment } from "./snapshot.ts";

/** Where an alias is on its way. */
export interface AliasProgress {
  readonly alias: string;
  /** What the library's alias points at. */
  readonly wanted: number;
  /** Where the alias goes: elsewhere than the library's only while paused. */
  readonly target: number;
  readonly served: number;
}

const doing: Partial<Record<RolloutPhase, string>> = {
  [RolloutPhase.PENDING]: "waits",
  [RolloutPhase.LOADING]: "is being loaded",
  [RolloutPhase.WARMING]: "is warming up",
  [RolloutPhase.PROBING]: "is being probed",
};

/** One sentence for people: what serves, what is on its way, what is wrong. */
export function summarise(
  deployment: DesiredDeployment,
  phases: readonly VersionPhase[],
  aliases: readonly AliasProgress[],
  suitable: number,
): string {
  const name = deployment.project === "default" ? deployment.model : deployment.key;
  const parts = [
    ...servingParts(deployment, phases, aliases, suitable),
    ...phases.flatMap((phase) => comingPart(phase)),
    ...aliases.filter((a) => a.wanted === 0 && a.target === 0).map((a) => `alias ${a.alias} points at no version yet`),
    ...(deployment.paused ? [pausedPart(aliases)] : []),
  ];
  return parts.length === 0 ? `${name} has nothing to serve.` : `${name} ${parts.join("; ")}.`;
}

function pausedPart(aliases: readonly AliasProgress[]): string {
  const held = aliases.filter(({ wanted, target }) => wanted !== target);
  const stays = ({ alias, target, wanted }: AliasProgress) =>
    `alias ${alias} ${target === 0 ? "serves nothing yet" : `stays at v${target}`}, and points at ${wanted === 0 ? "no version" : `v${wanted}`}`;
  return ["is paused", ...held.map(stays)].join(": ");
}

function servingParts(
  deployment: DesiredDeployment,
  phases: readonly VersionPhase[],
  aliases: readonly AliasProgress[],
  suitable: number,
): string[] {
  const serving = phases.filter((phase) => phase.phase === RolloutPhase.SERVING);
  if (serving.length === 0) return [];
  return serving.map((phase) => {
    const names = aliases.filter((a) => a.served === phase.version).map((a) => a.alias);
    const label = aliases.length > 1 && names.length > 0 ? ` (${names.join(", ")})` : "";
    const count = phase.replicaIds.length;
    const fewer = suitable < deployment.replicas ? `, of which there are ${suitable}` : "";
    const trouble = phase.reason === "" ? "" : `: ${phase.reason}`;
    return `v${phase.version}${label} serves on ${count} of ${deployment.replicas} replicas${fewer}${trouble}`;
  });
}

function comingPart(phase: VersionPhase): string[] {
  const name = `v${phase.version}`;
  const why = phase.reason === "" ? "" : `: ${phase.reason}`;
  if (phase.phase === RolloutPhase.FAILED) return [`${name} failed${why}`];
  const verb = doing[phase.phase];
  return verb === undefined ? [] : [`${name} ${verb}${why}`];
}
