import type { DesiredDeployment, LibraryModel, Rollout } from "./snapshot.ts";

/** Why a deployment holds a version: to answer requests now or next, or to be there for a rollback. */
export type Role = "wanted" | "warm";

/** The rollout records of a pass, by model and alias. */
export class RolloutBook {
  readonly #records = new Map<string, Rollout>();

  constructor(rollouts: readonly Rollout[]) {
    for (const rollout of rollouts) this.put(rollout);
  }

  /** The record of an alias; a fresh one when there is none. */
  of(key: string, alias: string): Rollout {
    return this.#records.get(`${key}@${alias}`) ?? { key, alias, served: 0, previous: [] };
  }

  /** The records of all aliases a deployment names. */
  ofDeployment({ key, aliases }: DesiredDeployment): Rollout[] {
    return aliases.map((alias) => this.of(key, alias));
  }

  put(rollout: Rollout): void {
    this.#records.set(`${rollout.key}@${rollout.alias}`, rollout);
  }

  /** Records of the aliases that deployments still name. */
  list(deployments: readonly DesiredDeployment[]): Rollout[] {
    const named = new Set(deployments.flatMap((d) => d.aliases.map((alias) => `${d.key}@${alias}`)));
    return [...this.#records]
      .filter(([name]) => named.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, rollout]) => rollout);
  }
}

/** The version the library's alias points at; 0 when there is no such alias. */
export function wantedVersion(model: LibraryModel | undefined, alias: string): number {
  return model?.aliases.get(alias) ?? 0;
}

/**
 * The version an alias goes to: the one the library's alias points at, or while the deployment is paused the one it serves. What the library no longer lets be
 * served is not held back.
 */
export function targetVersion(
  { paused }: DesiredDeployment,
  model: LibraryModel | undefined,
  { alias, served }: Rollout,
): number {
  const stays = paused && (served === 0 || model?.versions.get(served)?.servable === true);
  return stays ? served : wantedVersion(model, alias);
}

/**
 * Every version a deployment should hold, by number. An alias wants what it serves and what it should serve; the versions it served before
 * stay warm, as many as `keepWarm`.
 */
export function rolesOf(
  deployment: DesiredDeployment,
  model: LibraryModel | undefined,
  rollouts: RolloutBook,
): Map<number, Role> {
  const roles = new Map<number, Role>();
  const records = rollouts.ofDeployment(deployment);
  for (const version of deployment.versions) roles.set(version, "wanted");
  for (const record of records) {
    for (const version of [record.served, targetVersion(deployment, model, record)]) {
      if (version !== 0) roles.set(version, "wanted");
    }
  }
  for (const record of records) {
    const warm = record.previous.filter((v) => roles.get(v) !== "wanted" && model?.versions.get(v)?.servable === true);
    for (const version of warm.slice(0, deployment.keepWarm)) roles.set(version, "warm");
  }
  return roles;
}

/**
 * The aliases a version of a deployment belongs to: those it serves or should serve; of a version that is only warm, those it served. Ordered.
 */
export function aliasesOf(
  deployment: DesiredDeployment,
  records: readonly Rollout[],
  model: LibraryModel | undefined,
  { version, role }: { readonly version: number; readonly role: Role | undefined },
): string[] {
  const belongs = (record: Rollout) =>
    role === "warm"
      ? record.previous.includes(version)
      : record.served === version || targetVersion(deployment, model, record) === version;
  return records
    .filter(belongs)
    .map((record) => record.alias)
    .sort();
}
