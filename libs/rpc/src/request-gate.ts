import { AimassError, type Clock } from "@aimass/core";
import {
  anonymous,
  credentialFromHeaders,
  nodeRole,
  type PolicyStore,
  type Principal,
  principalKind,
  refusedTokenHeader,
  type ServiceIdentity,
  servicePrincipal,
  serviceTokenRefused,
} from "@aimass/identity";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type Caller, callerKey } from "./caller.ts";

/** Services that may name a principal they act for, where nothing else is said: the router alone, which has seen the principal's credential. */
const defaultActingRoles: readonly string[] = ["router"];

/** Agents and replicas run models of strangers: they call what names them, and nothing else. */
const namedRoles: readonly string[] = [nodeRole];

export interface GateOptions {
  readonly identity: ServiceIdentity;
  /** Without one, credentials of users are not looked at. */
  readonly policy?: PolicyStore;
  readonly clock: Clock;
  readonly allowRoles?: (service: DescService) => readonly string[] | undefined;
  readonly publicMethods?: (method: DescMethod) => boolean;
  readonly actingRoles?: readonly string[];
}

/** Makes sure of the caller from the headers alone, before a byte of the request is read. */
export function createRequestGate(options: GateOptions): (context: HandlerContext) => void {
  return (context) => {
    const header = (name: string) => context.requestHeader.get(name) ?? undefined;
    const service = verifyService(options, context, header("aimass-service"));
    const principal = findPrincipal(options, context, service.role, header);
    const caller: Caller = { service, principal, traceparent: header("traceparent") ?? "" };
    context.values.set(callerKey, caller);
  };
}

function verifyService(options: GateOptions, context: HandlerContext, token: string | undefined): Caller["service"] {
  if (token === undefined) {
    throw new AimassError("UNAUTHENTICATED", "The call carries no service token.", {
      reason: "SERVICE_TOKEN_MISSING",
      remedy: "This port is for services of the mesh; clients call the router.",
    });
  }
  const service = verifyToken(options.identity, context, token);
  const allowed = options.allowRoles?.(context.service);
  const isAllowed = allowed?.includes(service.role) ?? !namedRoles.includes(service.role);
  if (!isAllowed) {
    throw new AimassError("PERMISSION_DENIED", `The role ${service.role} may not call ${context.service.typeName}.`, {
      reason: "SERVICE_ROLE",
    });
  }
  return service;
}

function verifyToken(identity: ServiceIdentity, context: HandlerContext, token: string): Caller["service"] {
  try {
    return identity.verify(token);
  } catch (error) {
    // For a router, which does not read what it passes on: this refusal is meant for itself.
    context.responseHeader.set(refusedTokenHeader, serviceTokenRefused);
    throw error;
  }
}

function findPrincipal(
  options: GateOptions,
  context: HandlerContext,
  role: string,
  header: (name: string) => string | undefined,
): Principal {
  if (options.policy !== undefined) {
    try {
      const credential = credentialFromHeaders(header);
      if (credential !== undefined) return options.policy.policy.authenticate(credential, options.clock.now());
    } catch (error) {
      if (options.publicMethods?.(context.method) !== true) throw error;
    }
  }
  const asserted = header("aimass-principal");
  if (asserted !== undefined) return resolveAsserted(options, role, asserted);
  return role === "router" ? anonymous : servicePrincipal(role);
}

function resolveAsserted(options: GateOptions, role: string, id: string): Principal {
  if (!(options.actingRoles ?? defaultActingRoles).includes(role)) {
    throw new AimassError("PERMISSION_DENIED", `A ${role} may not act for ${id}.`, { reason: "SERVICE_ROLE" });
  }
  const kind = principalKind(id);
  if (kind === undefined || (kind === "service" && id !== `service:${role}`)) {
    throw new AimassError("UNAUTHENTICATED", `"${id}" is not a principal that a ${role} can act for.`);
  }
  if (kind === "anonymous") return anonymous;
  if (kind === "service") return servicePrincipal(role);
  return options.policy?.policy.resolve(id) ?? { kind, id, groups: [], roles: [] };
}
