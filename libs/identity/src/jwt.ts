import { type KeyObject, sign, verify } from "node:crypto";
import { fromBase64url, parseJsonObject, toBase64url, unauthenticated } from "./encoding.ts";

/** Clocks of the mesh may differ by this much, in milliseconds. */
export const clockSkewMs = 30_000;

/** Longest token looked at, in characters; ours have about 400. */
const maxTokenLength = 4096;

/** The claims every token of the mesh carries (RFC 7519). Times are seconds since the epoch and may have a fraction. */
export interface Claims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly [name: string]: unknown;
}

/** What a token must say to be accepted. */
export interface TokenExpectation {
  /** Header `typ`: keeps tokens of one use from being taken for another (RFC 8725 section 3.11). */
  readonly type: string;
  readonly audience: string;
  readonly issuer?: string;
  /** Longest life, in milliseconds; a token made for longer is refused. */
  readonly maxLifeMs: number;
}

/** Signs claims as a compact JWT with EdDSA (RFC 8037). */
export function signJwt(key: { keyId: string; privateKey: KeyObject }, type: string, claims: Claims): string {
  const header = { alg: "EdDSA", kid: key.keyId, typ: type };
  const input = `${toBase64url(Buffer.from(JSON.stringify(header)))}.${toBase64url(Buffer.from(JSON.stringify(claims)))}`;
  return `${input}.${toBase64url(sign(null, Buffer.from(input), key.privateKey))}`;
}

/**
 * Verifies a compact JWT and returns its claims with the id of the key that signed. Only EdDSA is known, so "none" and key confusion do not exist.
 * Throws UNAUTHENTICATED for anything malformed, forged, expired, not yet valid, or meant for someone else.
 */
export function verifyJwt(
  token: string,
  findKey: (keyId: string) => KeyObject | undefined,
  expected: TokenExpectation,
  nowMs: number,
): { keyId: string; claims: Claims } {
  const parts = token.length > maxTokenLength ? [] : token.split(".");
  const [head, body, tail] = parts;
  if (parts.length !== 3 || !head || !body || !tail)
    throw unauthenticated("The credential is none that was made here, or a part of one.", "Copy it whole, or sign in.");
  const header = parseJsonObject(fromBase64url(head)?.toString("utf8") ?? "");
  if (header === undefined || header.alg !== "EdDSA" || header.typ !== expected.type || "crit" in header) {
    throw unauthenticated("The token is of a kind that is not accepted here.");
  }
  const key = typeof header.kid === "string" ? findKey(header.kid) : undefined;
  if (key === undefined)
    throw unauthenticated("The token was signed with an unknown key.", "Sign in again for a new token.");
  const signature = fromBase64url(tail);
  if (signature?.length !== 64 || !verify(null, Buffer.from(`${head}.${body}`), key, signature)) {
    throw unauthenticated("The token's signature does not fit.");
  }
  const claims = readClaims(parseJsonObject(fromBase64url(body)?.toString("utf8") ?? ""));
  checkClaims(claims, expected, nowMs);
  return { keyId: header.kid as string, claims };
}

/** When claims are accepted, in milliseconds, both ends included. */
export function acceptedTime(claims: Claims): { readonly fromMs: number; readonly untilMs: number } {
  return { fromMs: claims.iat * 1000 - clockSkewMs, untilMs: claims.exp * 1000 + clockSkewMs };
}

function readClaims(claims: Record<string, unknown> | undefined): Claims {
  const texts = claims !== undefined && ["iss", "aud", "sub"].every((name) => typeof claims[name] === "string");
  const times = claims !== undefined && ["iat", "exp"].every((name) => Number.isFinite(claims[name]));
  if (!texts || !times) throw unauthenticated("The token lacks a claim that is required.");
  return claims as Claims;
}

function checkClaims(claims: Claims, expected: TokenExpectation, nowMs: number): void {
  if (claims.aud !== expected.audience) throw unauthenticated("The token is meant for another audience.");
  if (expected.issuer !== undefined && claims.iss !== expected.issuer)
    throw unauthenticated("The token comes from another issuer.");
  const { fromMs, untilMs } = acceptedTime(claims);
  if (nowMs < fromMs) throw unauthenticated("The token is not valid yet.", "Compare the clocks of the machines.");
  if (untilMs < nowMs) throw unauthenticated("The token has expired.", "Get a new one and try again.");
  if ((claims.exp - claims.iat) * 1000 > expected.maxLifeMs)
    throw unauthenticated("The token was made for longer than is accepted.");
}
