import { AimassError } from "@aimass/core";
import { formatResource, type Policy, type Principal, parseModelName } from "@aimass/identity";
import type { ModelRoutes, VersionRoutes } from "../routes/model-routes.ts";
import { requestedAlias } from "../routes/resolve-version.ts";

export interface AccessRequest {
  readonly policy: Policy;
  readonly principal: Principal;
  /** As the client wrote it. */
  readonly name: string;
  readonly version: string;
  readonly models: ReadonlyMap<string, ModelRoutes>;
  readonly nowMs: number;
}

/**
 * The model a caller may run. Whether a model exists is told only to those who may see it:
 * a caller with a credential gets the same NOT_FOUND for a hidden model as for one that does not exist; a caller without one gets the same
 * UNAUTHENTICATED for both. The decision is made by the name, before the routes are looked at.
 */
export function findRunnableModel(request: AccessRequest): ModelRoutes {
  const { name, routes, resource } = lookUp(request);
  const { policy, principal, nowMs } = request;
  if (policy.allows(principal, "model.infer", resource, nowMs)) {
    if (routes === undefined) throw noSuchModel(request.name);
    return routes;
  }
  throw notRunnable(request, { name, resource, exists: routes !== undefined });
}

/**
 * Refuses a version that a request of a model the caller may run came to: a deny on an alias holds for the version that belongs to it, by whichever way
 * it is asked for. The refusal is the one that the alias itself would bring.
 */
export function assertRunnableVersion(request: AccessRequest, version: VersionRoutes): void {
  const denied = deniedAlias(request, version, "model.infer");
  if (denied !== undefined) throw notRunnable(request, { name: version.model, resource: denied, exists: true });
}

/** The model a caller may look at: who may view or run it. Hidden like `findRunnableModel` hides. */
export function findVisibleModel(request: AccessRequest): ModelRoutes {
  const { name, routes, resource } = lookUp(request);
  const { policy, principal, nowMs } = request;
  const isVisible = maySee(policy, principal, name, nowMs) || policy.allows(principal, "model.infer", resource, nowMs);
  if (!isVisible && principal.kind === "anonymous") throw signInFirst();
  if (!isVisible || routes === undefined) throw noSuchModel(request.name);
  return routes;
}

/** Like `assertRunnableVersion`, for looking at a version. */
export function assertVisibleVersion(request: AccessRequest, version: VersionRoutes): void {
  if (maySeeVersion(request, version)) return;
  throw request.principal.kind === "anonymous" ? signInFirst() : noSuchModel(request.name);
}

/** Whether no alias that a version belongs to is denied to a caller for looking and for running. */
export function maySeeVersion(
  request: Pick<AccessRequest, "policy" | "principal" | "nowMs">,
  version: VersionRoutes,
): boolean {
  return (
    deniedAlias(request, version, "model.view") === undefined ||
    deniedAlias(request, version, "model.infer") === undefined
  );
}

/** Whether a caller may see a model, by its name "project.model". */
export function maySee(policy: Policy, principal: Principal, name: string, nowMs: number): boolean {
  return policy.allows(principal, "model.view", name, nowMs) || policy.allows(principal, "model.infer", name, nowMs);
}

/** The alias, as a resource, whose deny keeps a caller from a version. */
function deniedAlias(
  { policy, principal, nowMs }: Pick<AccessRequest, "policy" | "principal" | "nowMs">,
  version: VersionRoutes,
  verb: string,
): string | undefined {
  return version.aliasResources.find((resource) => policy.denies(principal, verb, resource, nowMs));
}

function notRunnable(
  { policy, principal, nowMs, name: asked }: AccessRequest,
  { name, resource, exists }: { readonly name: string; readonly resource: string; readonly exists: boolean },
): AimassError {
  const mayView = policy.allows(principal, "model.view", name, nowMs);
  if (principal.kind === "anonymous" && !(mayView && !exists)) return signInFirst();
  if (!mayView || !exists) return noSuchModel(asked);
  const message = `You may see model "${asked}", but not run it.`;
  if (policy.denies(principal, "model.infer", resource, nowMs))
    return new AimassError("PERMISSION_DENIED", message, {
      reason: "MISSING_VERB",
      remedy: `A deny of model.infer holds on ${resource}, which no grant outweighs: someone who manages it can remove the deny.`,
    });
  return new AimassError("PERMISSION_DENIED", message, {
    reason: "MISSING_VERB",
    remedy: `Someone who manages it can grant you model.infer on ${resource}.`,
  });
}

function lookUp({ name: text, version, models }: AccessRequest) {
  const { project, model } = parseModelName(text);
  const name = `${project}.${model}`;
  const routes = models.get(name);
  const alias = requestedAlias(routes, version);
  return { name, routes, resource: alias === undefined ? name : formatResource(project, model, alias) };
}

function noSuchModel(name: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no deployed model "${name}", or you may not see it.`, {
    reason: "MODEL_NOT_FOUND",
    field: "model_name",
    remedy: "The repository index lists the models you may see.",
  });
}

/** The refusal of whoever has no credential. */
export function signInFirst(): AimassError {
  return new AimassError("UNAUTHENTICATED", "This call needs a credential.", {
    reason: "CREDENTIAL_MISSING",
    remedy: "Send `authorization: Bearer <access token or API key>`.",
  });
}
