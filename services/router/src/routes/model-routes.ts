import type { ModelRoute, VersionRoute } from "@aimass/api/scheduler";
import { formatResource } from "@aimass/identity";

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
  /** Kept loaded for a rollback: answers only who asks for it by number. */
  readonly isWarm: boolean;
  /** Aliases it serves or is about to serve; of a warm version, those that it served. */
  readonly aliases: readonly string[];
  /** The same as the resources that grants name. */
  readonly aliasResources: readonly string[];
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
  /** Every alias that is deployed; without shares when it goes nowhere. */
  readonly aliases: ReadonlyMap<string, readonly AliasShare[]>;
}

const defaultRunLimitMs = 30_000;

/** Reads a route as the scheduler sends it. */
export function readModelRoute(route: ModelRoute): ModelRoutes {
  const name = `${route.project}.${route.name}`;
  const sorted = route.versions.toSorted((a, b) => (a.version < b.version ? 1 : -1));
  const newestFirst = sorted.map((version) => readVersionRoute(route, version));
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

function readVersionRoute(route: ModelRoute, v: VersionRoute): VersionRoutes {
  const { project, name } = route;
  const aliases = aliasesOf(route, v);
  return {
    model: `${project}.${name}`,
    version: String(v.version),
    replicaIds: v.replicaIds,
    runLimitMs: v.runLimitMs || defaultRunLimitMs,
    unavailableReason: v.unavailableReason,
    isWarm: v.warm,
    aliases,
    aliasResources: aliases.map((alias) => formatResource(project, name, alias)),
  };
}

/** Those the scheduler names, and those that go there: a scheduler of an earlier release names none. */
function aliasesOf(route: ModelRoute, { version, aliases }: VersionRoute): readonly string[] {
  const pointing = route.aliases.filter(({ targets }) => targets.some((target) => target.version === version));
  return [...new Set([...aliases, ...pointing.map(({ alias }) => alias)])];
}

/** The name clients read: without the project when that is "default". */
export function publicName(routes: {
  readonly project: string;
  readonly model: string;
  readonly name: string;
}): string {
  return routes.project === "default" ? routes.model : routes.name;
}
