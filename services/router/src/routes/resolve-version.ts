import { AimassError } from "@aimass/core";
import { type AliasShare, type ModelRoutes, publicName, type VersionRoutes } from "./model-routes.ts";

/** The alias that an empty version means where it is deployed, whether it points at something or not. */
const defaultAlias = "default";

/** Shares of an alias sum to this. */
const wholeShare = 10_000;

/** Whether a text is a version's digits and not an alias. */
export function isVersionDigits(text: string): boolean {
  if (text === "") return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 48 || c > 57) return false;
  }
  return true;
}

/** The alias a request goes through, if any: for the access decision. */
export function requestedAlias(routes: ModelRoutes | undefined, requested: string): string | undefined {
  if (requested === "") return routes === undefined ? undefined : impliedAlias(routes);
  return isVersionDigits(requested) ? undefined : requested;
}

/**
 * Finds the version that answers a request. `draw` in [0, 1) decides between the targets of an alias: random, or made of a sticky key.
 * An empty version means the alias "default" where it is deployed, else the only alias that points at something, else the newest version that is wanted;
 * a version that is only kept warm answers nobody who did not ask for it by number. Throws NOT_FOUND for a version or an alias the model does not have.
 */
export function resolveVersion(routes: ModelRoutes, requested: string, draw: number): VersionRoutes {
  if (isVersionDigits(requested)) {
    const version = routes.versions.get(requested.replace(/^0+(?=\d)/, ""));
    if (version === undefined) throw notServed(routes, `version ${requested}`);
    return version;
  }
  const alias = requestedAlias(routes, requested);
  if (alias === undefined) return newestWanted(routes);
  const shares = routes.aliases.get(alias);
  if (shares === undefined) throw notServed(routes, `alias "${alias.slice(0, 200)}"`);
  return shares.length === 0 ? firstOf(routes, alias) : resolveShares(routes, alias, shares, draw);
}

/** What a request without a version goes through. */
function impliedAlias(routes: ModelRoutes): string | undefined {
  if (routes.aliases.has(defaultAlias)) return defaultAlias;
  const pointing = [...routes.aliases].filter(([, shares]) => shares.length > 0);
  return pointing.length === 1 ? pointing[0]?.[0] : undefined;
}

/** The newest version that is wanted and that a replica holds; the newest wanted of all when none does. */
function newestWanted(routes: ModelRoutes): VersionRoutes {
  const wanted = routes.newestFirst.filter((v) => !v.isWarm);
  const found = wanted.find((v) => v.replicaIds.length > 0) ?? wanted[0];
  if (found === undefined) throw notServed(routes, "any version that is wanted");
  return found;
}

/** The version that an alias is about to point at for the first time, so that its callers wait for it or read why it does not come. */
function firstOf(routes: ModelRoutes, alias: string): VersionRoutes {
  const found = routes.newestFirst.find((v) => !v.isWarm && v.aliases.includes(alias));
  if (found === undefined) throw notServed(routes, `alias "${alias}"`);
  return found;
}

/** Splits by share among the targets that a replica holds, so that a canary that went away takes no traffic with it. */
function resolveShares(routes: ModelRoutes, alias: string, shares: readonly AliasShare[], draw: number): VersionRoutes {
  const known = shares.filter((s) => s.share > 0 && routes.versions.has(s.version));
  const held = known.filter((s) => (routes.versions.get(s.version)?.replicaIds.length ?? 0) > 0);
  const from = held.length > 0 ? held : known;
  const total = from.length === shares.length ? wholeShare : from.reduce((sum, s) => sum + s.share, 0);
  let at = draw * total;
  for (const { version, share } of from) {
    at -= share;
    if (at < 0) return routes.versions.get(version) as VersionRoutes;
  }
  const last = from.at(-1);
  if (last === undefined) throw notServed(routes, `alias "${alias}"`);
  return routes.versions.get(last.version) as VersionRoutes;
}

function notServed(routes: ModelRoutes, what: string): AimassError {
  const served = routes.newestFirst.slice(0, 20).map((v) => v.version);
  return new AimassError("NOT_FOUND", `Model "${publicName(routes)}" does not serve ${what}.`, {
    reason: "VERSION_NOT_SERVED",
    field: "model_version",
    remedy: served.length === 0 ? "It serves no version now." : `It serves ${served.join(", ")}.`,
  });
}
