import { AimassError } from "@aimass/core";
import { type Authenticated, Authenticator } from "./authenticator.ts";
import type { Credential } from "./credential.ts";
import { type Decision, evaluate, subjectsOf } from "./decision.ts";
import { everything } from "./names.ts";
import type { PolicyIndex } from "./policy-index.ts";
import { anonymous, type Principal } from "./principal.ts";

/** How old the state of a policy is, and may become. */
export interface Freshness {
  /** When the auth service last said that this state is the newest; 0: never heard of it. */
  readonly issuedAtMs: number;
  readonly maxAgeMs: number;
}

interface Remembered {
  readonly decision: Decision;
  /** When it was made: a clock that is set back may bring back grants that had run out. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly maxAgeMs: number;
}

/** Decisions kept at most; then all are forgotten, which costs some microseconds each. */
const rememberedDecisions = 262_144;

/**
 * The policy as it is now: who shows which credential, and who may do what. Both are pure functions of the state and of `nowMs`, remembered until the
 * state changes. A principal is judged by its id and by what the state says of that id, never by what an older Principal object carries.
 */
export class Policy {
  readonly #index: PolicyIndex;
  readonly #freshness: () => Freshness;
  readonly #authenticator: Authenticator;
  /** principal → resource → verb. */
  readonly #remembered = new Map<string, Map<string, Map<string, Remembered>>>();
  #rememberedCount = 0;

  constructor(index: PolicyIndex, freshness: () => Freshness) {
    this.#index = index;
    this.#freshness = freshness;
    this.#authenticator = new Authenticator(index);
  }

  /**
   * Who shows this credential; without one, "anonymous". Throws UNAUTHENTICATED for a credential that does not hold, UNAVAILABLE while there is no
   * policy or it is too old.
   */
  authenticate(credential: Credential | undefined, nowMs: number): Principal {
    return credential === undefined ? anonymous : this.authenticateSession(credential, nowMs).principal;
  }

  /** Like `authenticate`, with the session a token belongs to and the last moment the credential holds. */
  authenticateSession(credential: Credential, nowMs: number): Authenticated {
    this.#assertFresh(this.#freshness().maxAgeMs, nowMs, undefined);
    return this.#authenticator.authenticate(credential, nowMs);
  }

  /** The principal an id names. Throws UNAUTHENTICATED for an id that is unknown, disabled or malformed. */
  resolve(principalId: string): Principal {
    return this.#authenticator.resolve(principalId);
  }

  /**
   * Whether a principal may do something, and why. `resource` is "*", "project", "project.model" or "project.model@alias".
   * Throws UNAVAILABLE while there is no policy or it is older than the resource's project allows.
   */
  decide(principal: Principal, verb: string, resource: string, nowMs: number): Decision {
    const known = this.#remembered.get(principal.id)?.get(resource)?.get(verb);
    if (known !== undefined && nowMs >= known.fromMs && nowMs <= known.untilMs) {
      if (nowMs - this.#freshness().issuedAtMs > known.maxAgeMs) this.#assertFresh(known.maxAgeMs, nowMs, resource);
      return known.decision;
    }
    return this.#decideAnew(principal, verb, resource, nowMs);
  }

  /** Like `decide`, without the reason. */
  allows(principal: Principal, verb: string, resource: string, nowMs: number): boolean {
    return this.decide(principal, verb, resource, nowMs).allowed;
  }

  /** Whether a deny refuses it: `!allows` is true as well where nothing was granted. */
  denies(principal: Principal, verb: string, resource: string, nowMs: number): boolean {
    const { allowed, grantId } = this.decide(principal, verb, resource, nowMs);
    return !allowed && grantId !== undefined;
  }

  /** Whether a principal may do something on a project or on anything inside it: for lists of projects. Denies inside are not looked at. */
  allowsWithin(principal: Principal, verb: string, project: string, nowMs: number): boolean {
    if (this.allows(principal, verb, project, nowMs)) return true;
    const facts = this.#index.principal(principal.id);
    if (principal.kind !== "anonymous" && (facts === undefined || facts.disabled)) return false;
    const inside = `${project}.`;
    for (const subject of subjectsOf(principal.id, facts)) {
      for (const grant of this.#index.grantsOf(subject)) {
        if (grant.deny || grant.expiresAtMs <= nowMs || !grant.resource.startsWith(inside)) continue;
        if (grant.verbs.has(verb) && this.allows(principal, verb, grant.resource, nowMs)) return true;
      }
    }
    return false;
  }

  /** Whether any grant allows a principal this at all, wherever: whom nothing does can be refused before it is known what they want. */
  allowsSomewhere(principal: Principal, verb: string, nowMs: number): boolean {
    if (this.allows(principal, verb, everything, nowMs)) return true;
    for (const subject of subjectsOf(principal.id, this.#index.principal(principal.id))) {
      for (const grant of this.#index.grantsOf(subject)) {
        if (!grant.deny && grant.expiresAtMs > nowMs && grant.verbs.has(verb)) return true;
      }
    }
    return false;
  }

  /** Whether any grant allows a principal anything at all. */
  allowsAnything(principal: Principal, nowMs: number): boolean {
    const facts = this.#index.principal(principal.id);
    if (facts !== undefined && facts.roles.length > 0) return true;
    for (const subject of subjectsOf(principal.id, facts)) {
      for (const grant of this.#index.grantsOf(subject)) if (!grant.deny && grant.expiresAtMs > nowMs) return true;
    }
    return false;
  }

  /** Forgets what was decided by the state before; called when the state changes. */
  forget(): void {
    this.#remembered.clear();
    this.#rememberedCount = 0;
    this.#authenticator.forgetPrincipals();
  }

  #decideAnew(principal: Principal, verb: string, resource: string, nowMs: number): Decision {
    const maxAgeMs = principal.kind === "service" ? Number.POSITIVE_INFINITY : this.#maxAgeMs(resource);
    this.#assertFresh(maxAgeMs, nowMs, resource);
    const { decision, untilMs } = evaluate(this.#index, principal.id, verb, resource, nowMs);
    this.#remember(principal.id, resource, verb, { decision, fromMs: nowMs, untilMs, maxAgeMs });
    return decision;
  }

  #remember(principalId: string, resource: string, verb: string, entry: Remembered): void {
    if (this.#rememberedCount >= rememberedDecisions) {
      this.#remembered.clear();
      this.#rememberedCount = 0;
    }
    const byResource = nested(this.#remembered, principalId);
    nested(byResource, resource).set(verb, entry);
    this.#rememberedCount += 1;
  }

  /** A project may shorten the limit that came with the snapshot, not lengthen it. */
  #maxAgeMs(resource: string): number {
    const { maxAgeMs } = this.#freshness();
    const dot = resource.indexOf(".");
    const project = dot < 0 ? resource : resource.slice(0, dot);
    return project === everything ? maxAgeMs : Math.min(maxAgeMs, this.#index.projectAgeMs(project) ?? maxAgeMs);
  }

  #assertFresh(maxAgeMs: number, nowMs: number, resource: string | undefined): void {
    const { issuedAtMs } = this.#freshness();
    if (nowMs - issuedAtMs <= maxAgeMs) return;
    const where = resource === undefined ? "here" : `for ${resource}`;
    const message =
      issuedAtMs === 0
        ? "This process has not received the access policy yet."
        : `The access policy is ${Math.round((nowMs - issuedAtMs) / 1000)} s old; ${where} it may be ${Math.round(maxAgeMs / 1000)} s.`;
    throw new AimassError("UNAVAILABLE", message, {
      reason: "POLICY_STALE",
      remedy: "Try again; if it stays so, the auth service cannot be reached.",
      retryAfterMs: 1000,
    });
  }
}

/** The map inside a map, made when it is missing. */
function nested<V>(outer: Map<string, Map<string, V>>, key: string): Map<string, V> {
  const known = outer.get(key);
  if (known !== undefined) return known;
  const made = new Map<string, V>();
  outer.set(key, made);
  return made;
}
