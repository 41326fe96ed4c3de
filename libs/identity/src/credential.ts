import { createHash, randomBytes } from "node:crypto";
import { toBase64url, unauthenticated } from "./encoding.ts";

/** What a client shows: the text of a JWT or of an API key. */
export interface Credential {
  readonly kind: "bearer";
  readonly text: string;
}

const apiKeyPattern = /^aim_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/**
 * Finds the credential in a request's headers: `authorization: Bearer …`, else `x-api-key`. Undefined when there is none. Throws UNAUTHENTICATED for
 * another authorization scheme: ignoring it would turn a caller who means to sign in into an anonymous one.
 */
export function credentialFromHeaders(get: (name: string) => string | undefined): Credential | undefined {
  // Some clients keep the space after the colon in the value.
  const authorization = get("authorization")?.trim();
  if (authorization !== undefined && authorization !== "") {
    if (authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === "bearer ") {
      return { kind: "bearer", text: authorization.slice(7).trim() };
    }
    throw unauthenticated(
      "The authorization header uses a scheme that is not accepted.",
      "Send `authorization: Bearer <access token or API key>`.",
    );
  }
  const apiKey = get("x-api-key")?.trim();
  return apiKey === undefined || apiKey === "" ? undefined : { kind: "bearer", text: apiKey };
}

/** Makes an API key: 64 bits of public id, 256 bits of secret. Only `id` and `secretSha256` are kept anywhere. */
export function createApiKey(random: (size: number) => Uint8Array = randomBytes): {
  id: string;
  text: string;
  secretSha256: Uint8Array;
} {
  const id = Buffer.from(random(8)).toString("hex");
  const secret = toBase64url(random(32));
  return { id, text: `aim_${id}_${secret}`, secretSha256: sha256(secret) };
}

/** Whether a text means to be an API key. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith("aim_");
}

/** Splits the text of an API key; undefined when it is none. */
export function parseApiKey(text: string): { id: string; secretSha256: Uint8Array } | undefined {
  const match = apiKeyPattern.exec(text);
  return match === null ? undefined : { id: match[1] as string, secretSha256: sha256(match[2] as string) };
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
