import { type KeyObject, timingSafeEqual } from "node:crypto";
import { type AccessClaims, accessTokenExpectation } from "./access-token.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { type Credential, looksLikeApiKey, parseApiKey } from "./credential.ts";
import { unauthenticated } from "./encoding.ts";
import { acceptedTime, type Claims, verifyJwt } from "./jwt.ts";
import type { PolicyIndex } from "./policy-index.ts";
import { anonymous, type Principal, principalKind, servicePrincipal } from "./principal.ts";

/** A principal, how long its credential holds, and the session it belongs to. */
export interface Authenticated {
  readonly principal: Principal;
  /** Of a token from a sign-in; undefined for an API key. */
  readonly sessionId?: string;
  /** When the credential holds. */
  readonly fromMs: number;
  readonly untilMs: number;
}

const cachedTokens = 16_384;
const cachedPrincipals = 16_384;
const noHash = Buffer.alloc(32);

/**
 * Turns credentials into principals by the facts of the policy. Two memories: verified signatures outlive a policy change (as long as the key is the
 * same), principals do not.
 */
export class Authenticator {
  readonly #index: PolicyIndex;
  readonly #signatures = new BoundedCache<{ key: KeyObject; keyId: string; claims: Claims }>(cachedTokens);
  readonly #principals = new BoundedCache<Authenticated>(cachedPrincipals);

  constructor(index: PolicyIndex) {
    this.#index = index;
  }

  /** Who shows this credential. Throws UNAUTHENTICATED. */
  authenticate(credential: Credential, nowMs: number): Authenticated {
    const known = this.#principals.get(credential.text, nowMs);
    if (known !== undefined) return known;
    const found = looksLikeApiKey(credential.text)
      ? this.#authenticateApiKey(credential.text, nowMs)
      : this.#authenticateToken(credential.text, nowMs);
    this.#principals.set(credential.text, found, found);
    return found;
  }

  /** The principal an id names. Throws UNAUTHENTICATED for an id that is unknown, disabled or malformed. */
  resolve(id: string): Principal {
    const kind = principalKind(id);
    if (kind === "anonymous") return anonymous;
    if (kind === "service") return servicePrincipal(id.slice("service:".length));
    const facts = this.#index.principal(id);
    if (kind === undefined || facts === undefined) throw unauthenticated("The principal is unknown.");
    if (facts.disabled) throw unauthenticated("The principal is disabled.", "An admin can enable it again.");
    return Object.freeze({ kind, id, groups: facts.groups, roles: facts.roles });
  }

  /** Forgets who is who; called when the policy changes. */
  forgetPrincipals(): void {
    this.#principals.clear();
  }

  #authenticateApiKey(text: string, nowMs: number): Authenticated {
    const key = parseApiKey(text);
    const facts = key === undefined ? undefined : this.#index.apiKey(key.id);
    const fits = timingSafeEqual(key?.secretSha256 ?? noHash, facts?.secretSha256 ?? noHash);
    if (key === undefined || facts === undefined || !fits)
      throw unauthenticated("The API key is unknown or was revoked.", "Make a new one with `aimass keys create`.");
    if (facts.expiresAtMs <= nowMs)
      throw unauthenticated("The API key has expired.", "Make a new one with `aimass keys create`.");
    return {
      principal: this.resolve(facts.principal),
      fromMs: Number.NEGATIVE_INFINITY,
      untilMs: facts.expiresAtMs - 1,
    };
  }

  #authenticateToken(text: string, nowMs: number): Authenticated {
    const claims = this.#verifySignature(text, nowMs);
    const principal = this.resolve(claims.sub);
    if (principal.kind !== "user") throw unauthenticated("The token names no user.");
    const access = claims as AccessClaims;
    const { sid } = access;
    if (this.#isSuperseded(access) || this.#index.hasEnded(sid))
      throw unauthenticated("The session of this token has ended.", "Sign in again.");
    return { principal, sessionId: sid, ...acceptedTime(claims) };
  }

  /** By generation and not by time: a clock that was ahead when tokens were ended must not refuse those that came after it was set right. */
  #isSuperseded({ sub, gen, iat }: AccessClaims): boolean {
    const facts = this.#index.principal(sub);
    if (facts === undefined) return false;
    return gen === undefined ? Math.round(iat * 1000) < facts.tokensNotBeforeMs : !(gen >= facts.tokenGeneration);
  }

  #verifySignature(text: string, nowMs: number): Claims {
    const known = this.#signatures.get(text, nowMs);
    if (known !== undefined && this.#index.signingKey(known.keyId) === known.key) return known.claims;
    const { keyId, claims } = verifyJwt(text, (id) => this.#index.signingKey(id), accessTokenExpectation, nowMs);
    const key = this.#index.signingKey(keyId) as KeyObject;
    this.#signatures.set(text, { key, keyId, claims }, acceptedTime(claims));
    return claims;
  }
}
