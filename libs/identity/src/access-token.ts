import type { KeyObject } from "node:crypto";
import { type Claims, signJwt, type TokenExpectation } from "./jwt.ts";

/** How long an access token lives, in milliseconds. */
export const accessTokenLifeMs = 600_000;

const type = "at+jwt";
const issuer = "aimass-auth";
const audience = "aimass";

/** What verifiers of access tokens expect (RFC 9068 type, RFC 8725 rules). */
export const accessTokenExpectation: TokenExpectation = {
  type,
  audience,
  issuer,
  maxLifeMs: accessTokenLifeMs,
};

/** The claims of an access token. */
export interface AccessClaims extends Claims {
  /** The session it belongs to. */
  readonly sid: string;
  /** The generation of the principal's tokens; absent from tokens of earlier releases. */
  readonly gen?: number;
}

/** Signs an access token for a principal. */
export function signAccessToken(
  key: { keyId: string; privateKey: KeyObject },
  token: { principal: string; sessionId: string; id: string; generation: number; nowMs: number },
): { text: string; expiresAtMs: number } {
  const expiresAtMs = token.nowMs + accessTokenLifeMs;
  const text = signJwt(key, type, {
    iss: issuer,
    aud: audience,
    sub: token.principal,
    sid: token.sessionId,
    gen: token.generation,
    jti: token.id,
    iat: token.nowMs / 1000,
    exp: expiresAtMs / 1000,
  });
  return { text, expiresAtMs };
}
