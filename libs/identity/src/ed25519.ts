import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

/** An Ed25519 public key as a JSON Web Key (RFC 8037). */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  /** Raw public key, 32 bytes, base64url. */
  readonly x: string;
}

/** An Ed25519 private key as a JSON Web Key (RFC 8037). */
export interface PrivateJwk extends PublicJwk {
  /** Raw private key, 32 bytes, base64url. */
  readonly d: string;
}

/** A fresh key pair with the id that names it: the first 16 characters of the JWK thumbprint (RFC 7638). */
export function generateSigningKey(): { keyId: string; privateJwk: PrivateJwk; publicJwk: PublicJwk } {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { d, x } = privateKey.export({ format: "jwk" });
  const publicJwk: PublicJwk = { kty: "OKP", crv: "Ed25519", x: x as string };
  return { keyId: thumbprint(publicJwk).slice(0, 16), publicJwk, privateJwk: { ...publicJwk, d: d as string } };
}

/** JWK thumbprint (RFC 7638): SHA-256 over the required members in lexical order, base64url. */
export function thumbprint(jwk: PublicJwk): string {
  return createHash("sha256").update(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}"}`).digest("base64url");
}

/** Imports a private JWK. Throws when it is no Ed25519 key. */
export function importPrivateJwk(jwk: PrivateJwk): KeyObject {
  return createPrivateKey({ key: { ...jwk }, format: "jwk" });
}

/** Imports a public JWK. Throws when it is no Ed25519 key. */
export function importPublicJwk(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: "jwk" });
}

/** Imports a raw public key of 32 bytes. Throws when it is no Ed25519 key. */
export function importRawPublicKey(raw: Uint8Array): KeyObject {
  return importPublicJwk({ kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") });
}

/** The raw 32 bytes of a public JWK. */
export function rawPublicKey(jwk: PublicJwk): Uint8Array {
  return new Uint8Array(Buffer.from(jwk.x, "base64url"));
}
