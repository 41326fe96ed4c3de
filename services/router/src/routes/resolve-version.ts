import { AimassError } from "@aimass/core";
import { type AliasShare, type ModelRoutes, publicName, type VersionRoutes } from "./model-routes.ts";

/** The alias that an empty version means, when the model has it. */
export const defaultAlias = "default";

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
  if (requested === "") return routes?.aliases.has(defaultAlias) ? defaultAlias : undefined;
  return isVersionDigits(requested) ? undefined : requested;
}

/**
 * Finds the version that answers a request. `draw` in [0, 1) decides between the targets of an alias: random, or made of a sticky key.
 * Throws NOT_FOUND for a version or an alias the model does not have.
 */
export function resolveVersion(routes: ModelRoutes, requested: string, draw: number): VersionRoutes {
  if (requested === "") {
    const shares = routes.aliases.get(defaultAlias);
    return shares === undefined ? newestServed(routes) : resolveShares(routes, defaultAlias, shares, draw);
  }
  if (isVersionDigits(requested)) {
    const version = routes.versions.get(requested.replace(/^0+(?=\d)/, ""));
    if (version === undefined) throw notServed(routes, `version ${requested}`);
    return version;
  }
  const shares = routes.aliases.get(requested);
  if (shares === undefined) throw notServed(routes, `alias "${requested.slice(0, 200)}"`);
  return resolveShares(routes, requested, shares, draw);
}

/** The newest version that a replica holds; the newest of all when none does. */
function newestServed(routes: ModelRoutes): VersionRoutes {
  const found = routes.newestFirst.find((v) => v.replicaIds.length > 0) ?? routes.newestFirst[0];
  if (found === undefined) throw notServed(routes, "any version");
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
