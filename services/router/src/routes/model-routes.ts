import type { ModelRoute } from "@aimass/api/scheduler";

/** A version that a model serves, and the replicas that hold it. */
export interface VersionRoutes {
  /** "project.model". */
  readonly model: string;
  /** Digits. */
  readonly version: string;
  readonly replicaIds: readonly string[];
  readonly runLimitMs: number;
  /** Why no replica holds it, when none does; "" when one is expected. */
  readonly unavailableReason: string;
}

/** Where a part of an alias's traffic goes. */
export interface AliasShare {
  readonly version: string;
  /** Of 10 000. */
  readonly share: number;
}

/** How a model's requests are answered. */
export interface ModelRoutes {
  /** "project.model". */
  readonly name: string;
  readonly project: string;
  readonly model: string;
  /** By digits. */
  readonly versions: ReadonlyMap<string, VersionRoutes>;
  readonly newestFirst: readonly VersionRoutes[];
  readonly aliases: ReadonlyMap<string, readonly AliasShare[]>;
}

const defaultRunLimitMs = 30_000;

/** Reads a route as the scheduler sends it. */
export function readModelRoute(route: ModelRoute): ModelRoutes {
  const name = `${route.project}.${route.name}`;
  const sorted = route.versions.toSorted((a, b) => (a.version < b.version ? 1 : -1));
  const newestFirst = sorted.map(
    (v): VersionRoutes => ({
      model: name,
      version: String(v.version),
      replicaIds: v.replicaIds,
      runLimitMs: v.runLimitMs || defaultRunLimitMs,
      unavailableReason: v.unavailableReason,
    }),
  );
  const aliases = route.aliases.map((a) => {
    const shares = a.targets.map((t): AliasShare => ({ version: String(t.version), share: t.share }));
    return [a.alias, shares] as const;
  });
  return {
    name,
    project: route.project,
    model: route.name,
    versions: new Map(newestFirst.map((v) => [v.version, v])),
    newestFirst,
    aliases: new Map(aliases),
  };
}

/** The name clients read: without the project when that is "default". */
export function publicName(routes: {
  readonly project: string;
  readonly model: string;
  readonly name: string;
}): string {
  return routes.project === "default" ? routes.model : routes.name;
}
