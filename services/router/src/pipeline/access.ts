import { AimassError } from "@aimass/core";
import { formatResource, type Policy, type Principal, parseModelName } from "@aimass/identity";
import type { ModelRoutes } from "../routes/model-routes.ts";
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
  const mayView = policy.allows(principal, "model.view", name, nowMs);
  if (principal.kind === "anonymous" && !(mayView && routes === undefined)) throw signInFirst();
  if (!mayView || routes === undefined) throw noSuchModel(request.name);
  throw new AimassError("PERMISSION_DENIED", `You may see model "${request.name}", but not run it.`, {
    reason: "MISSING_VERB",
    remedy: `Someone who manages it can grant you model.infer on ${resource}.`,
  });
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

/** Whether a caller may see a model, by its name "project.model". */
export function maySee(policy: Policy, principal: Principal, name: string, nowMs: number): boolean {
  return policy.allows(principal, "model.view", name, nowMs) || policy.allows(principal, "model.infer", name, nowMs);
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

function signInFirst(): AimassError {
  return new AimassError("UNAUTHENTICATED", "This call needs a credential.", {
    reason: "CREDENTIAL_MISSING",
    remedy: "Send `authorization: Bearer <access token or API key>`.",
  });
}
