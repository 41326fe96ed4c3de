import { enclosingResources } from "./names.ts";
import type { IndexedGrant, PrincipalFacts } from "./policy-entry.ts";
import type { PolicyIndex } from "./policy-index.ts";
import { principalKind } from "./principal.ts";
import { type RoleName, roleNames, roleVerbs, serviceVerbs } from "./verbs.ts";

/** Whether something may be done, and why. */
export interface Decision {
  readonly allowed: boolean;
  /** One sentence: which grant, role or default decided. */
  readonly reason: string;
  /** The deciding grant, when there is one. */
  readonly grantId?: string;
}

/** A decision with the last moment at which it holds, in milliseconds; then a grant that took part expires. */
export interface TimedDecision {
  readonly decision: Decision;
  readonly untilMs: number;
}

/**
 * Decides by what the snapshot says now, in this order:
 * a service of the mesh by its fixed table; an unknown or disabled principal not at all; role admin everything (a deny cannot lock the admins out);
 * a deny that matches; the other platform roles; an allow that matches; else no. Of several grants that match, the one on the narrowest resource is
 * named, then the one with the smallest id. Grants to "anonymous" reach everybody.
 */
export function evaluate(
  index: PolicyIndex,
  principalId: string,
  verb: string,
  resource: string,
  nowMs: number,
): TimedDecision {
  const kind = principalKind(principalId);
  if (kind === "service") return forever(decideService(principalId, verb));
  const facts = index.principal(principalId);
  if (kind !== "anonymous" && (facts === undefined || facts.disabled)) {
    return forever(refuse(`${principalId} is ${facts === undefined ? "unknown" : "disabled"}.`));
  }
  if (facts?.roles.includes("admin") && roleVerbs.admin.has(verb))
    return forever(allow("Role admin may do everything."));
  const matching = findGrants(index, subjectsOf(principalId, facts), { verb, resource, nowMs });
  return { decision: decideByGrants(matching, facts, { principalId, verb, resource }), untilMs: earliestEnd(matching) };
}

/** The subjects whose grants reach a principal. */
export function subjectsOf(principalId: string, facts: PrincipalFacts | undefined): readonly string[] {
  if (principalId === "anonymous") return [principalId];
  return [principalId, ...(facts?.groups ?? []).map((group) => `group:${group}`), "anonymous"];
}

function decideService(principalId: string, verb: string): Decision {
  const allowed = serviceVerbs.get(principalId.slice("service:".length))?.has(verb) ?? false;
  return allowed
    ? allow(`${principalId} may ${verb} as a service of the mesh.`)
    : refuse(`${principalId} may not ${verb} in its own name.`);
}

/** The grants that match and have not expired, narrowest resource first, then by id. */
function findGrants(
  index: PolicyIndex,
  subjects: readonly string[],
  asked: { verb: string; resource: string; nowMs: number },
): readonly IndexedGrant[] {
  const found: IndexedGrant[] = [];
  for (const resource of enclosingResources(asked.resource).toReversed()) {
    const here: IndexedGrant[] = [];
    for (const subject of subjects) {
      for (const grant of index.grants(subject, resource) ?? []) {
        if (grant.verbs.has(asked.verb) && grant.expiresAtMs > asked.nowMs) here.push(grant);
      }
    }
    found.push(...here.sort((a, b) => (a.id < b.id ? -1 : 1)));
  }
  return found;
}

function decideByGrants(
  matching: readonly IndexedGrant[],
  facts: PrincipalFacts | undefined,
  asked: { principalId: string; verb: string; resource: string },
): Decision {
  const denial = matching.find((grant) => grant.deny);
  if (denial !== undefined) return refuse(describe(denial, "denies", asked.verb), denial.id);
  const role = roleNames.find((name) => facts?.roles.includes(name) && roleVerbs[name as RoleName].has(asked.verb));
  if (role !== undefined) return allow(`Role ${role} may ${asked.verb} everywhere.`);
  const grant = matching[0];
  if (grant !== undefined) return allow(describe(grant, "allows", asked.verb), grant.id);
  return refuse(`Nothing grants ${asked.principalId} ${asked.verb} on ${asked.resource}.`);
}

function describe(grant: IndexedGrant, does: string, verb: string): string {
  return `Grant ${grant.id} to ${grant.subject} on ${grant.resource} ${does} ${verb}.`;
}

function earliestEnd(grants: readonly IndexedGrant[]): number {
  // A grant holds up to, not including, its end.
  return grants.reduce((end, grant) => Math.min(end, grant.expiresAtMs - 1), Number.POSITIVE_INFINITY);
}

function forever(decision: Decision): TimedDecision {
  return { decision, untilMs: Number.POSITIVE_INFINITY };
}

function allow(reason: string, grantId?: string): Decision {
  return Object.freeze({ allowed: true, reason, ...(grantId === undefined ? {} : { grantId }) });
}

function refuse(reason: string, grantId?: string): Decision {
  return Object.freeze({ allowed: false, reason, ...(grantId === undefined ? {} : { grantId }) });
}
