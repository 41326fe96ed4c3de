import type { KeyObject } from "node:crypto";
import type { ApiKeyFacts, IndexedGrant, PolicyFact, PrincipalFacts } from "./policy-entry.ts";

/**
 * The facts of a policy, found by what a decision asks for. Changed in place, so that one changed fact costs one step however large the policy is; many
 * changes are made to another index, whose facts this one takes over at once.
 */
export class PolicyIndex {
  #byKey = new Map<string, PolicyFact>();
  #principals = new Map<string, PrincipalFacts>();
  #apiKeys = new Map<string, ApiKeyFacts>();
  #signingKeys = new Map<string, KeyObject>();
  #endedSessions = new Set<string>();
  #projectAgesMs = new Map<string, number | undefined>();
  /** subject → resource → grants. */
  #grants = new Map<string, Map<string, IndexedGrant[]>>();

  /** The fact under a key. */
  fact(key: string): PolicyFact | undefined {
    return this.#byKey.get(key);
  }

  /** Takes over the facts of another index, which is of no use from then on. */
  become(other: PolicyIndex): void {
    this.#byKey = other.#byKey;
    this.#principals = other.#principals;
    this.#apiKeys = other.#apiKeys;
    this.#signingKeys = other.#signingKeys;
    this.#endedSessions = other.#endedSessions;
    this.#projectAgesMs = other.#projectAgesMs;
    this.#grants = other.#grants;
  }

  principal(id: string): PrincipalFacts | undefined {
    return this.#principals.get(id);
  }

  apiKey(id: string): ApiKeyFacts | undefined {
    return this.#apiKeys.get(id);
  }

  signingKey(keyId: string): KeyObject | undefined {
    return this.#signingKeys.get(keyId);
  }

  /** Whether a session was ended while access tokens of it may still be about. */
  hasEnded(sessionId: string): boolean {
    return this.#endedSessions.has(sessionId);
  }

  /** How old the snapshot may be for a project, in milliseconds; undefined: the default. */
  projectAgeMs(project: string): number | undefined {
    return this.#projectAgesMs.get(project);
  }

  /** The grants of one subject on exactly one resource. */
  grants(subject: string, resource: string): readonly IndexedGrant[] | undefined {
    return this.#grants.get(subject)?.get(resource);
  }

  /** All grants of one subject. */
  *grantsOf(subject: string): IterableIterator<IndexedGrant> {
    for (const grants of this.#grants.get(subject)?.values() ?? []) yield* grants;
  }

  /** Adds or replaces the fact under a key; undefined removes it. */
  put(key: string, fact: PolicyFact | undefined): void {
    this.remove(key);
    if (fact === undefined) return;
    this.#byKey.set(key, fact);
    if (fact.kind === "principal") this.#principals.set(fact.facts.id, fact.facts);
    else if (fact.kind === "apiKey") this.#apiKeys.set(fact.id, fact.facts);
    else if (fact.kind === "signingKey") this.#signingKeys.set(fact.keyId, fact.key);
    else if (fact.kind === "endedSession") this.#endedSessions.add(fact.id);
    else if (fact.kind === "project") this.#projectAgesMs.set(fact.name, fact.maxSnapshotAgeMs);
    else this.#addGrant(fact.grant);
  }

  remove(key: string): void {
    const fact = this.#byKey.get(key);
    if (fact === undefined) return;
    this.#byKey.delete(key);
    if (fact.kind === "principal") this.#principals.delete(fact.facts.id);
    else if (fact.kind === "apiKey") this.#apiKeys.delete(fact.id);
    else if (fact.kind === "signingKey") this.#signingKeys.delete(fact.keyId);
    else if (fact.kind === "endedSession") this.#endedSessions.delete(fact.id);
    else if (fact.kind === "project") this.#projectAgesMs.delete(fact.name);
    else this.#removeGrant(fact.grant);
  }

  /** Forgets everything. */
  clear(): void {
    for (const key of [...this.#byKey.keys()]) this.remove(key);
  }

  #addGrant(grant: IndexedGrant): void {
    const byResource = this.#grants.get(grant.subject) ?? new Map<string, IndexedGrant[]>();
    this.#grants.set(grant.subject, byResource);
    const grants = byResource.get(grant.resource);
    if (grants === undefined) byResource.set(grant.resource, [grant]);
    else grants.push(grant);
  }

  #removeGrant(grant: IndexedGrant): void {
    const byResource = this.#grants.get(grant.subject);
    const grants = byResource?.get(grant.resource);
    if (byResource === undefined || grants === undefined) return;
    grants.splice(grants.indexOf(grant), 1);
    if (grants.length === 0) byResource.delete(grant.resource);
    if (byResource.size === 0) this.#grants.delete(grant.subject);
  }
}
