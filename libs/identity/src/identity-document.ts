import type { PrivateJwk, PublicJwk } from "./ed25519.ts";

/** The identity file of a process. */
export interface IdentityDocument {
  readonly role: string;
  /** Empty: the process makes a random one. */
  readonly instance: string;
  readonly keyId: string;
  readonly privateJwk: PrivateJwk;
  /** The machine whose key it is, for roles with a key for each machine. */
  readonly node?: string;
}

/** The trust file: the public keys of the mesh. */
export interface TrustDocument {
  readonly keys: readonly TrustedKeyDocument[];
}

/** One public key. */
export interface TrustedKeyDocument {
  readonly keyId: string;
  readonly role: string;
  readonly publicJwk: PublicJwk;
  readonly node?: string;
  /** It is kept to tell its holder so. */
  readonly revoked?: boolean;
}

export function isIdentityDocument(value: unknown): value is IdentityDocument {
  const v = value as IdentityDocument | null;
  return (
    typeof v?.role === "string" &&
    typeof v.keyId === "string" &&
    typeof v.privateJwk?.d === "string" &&
    typeof v.instance === "string"
  );
}

export function isTrustDocument(value: unknown): value is TrustDocument {
  const v = value as TrustDocument | null;
  return (
    Array.isArray(v?.keys) &&
    v.keys.every(
      (k) => typeof k?.keyId === "string" && typeof k.role === "string" && typeof k.publicJwk?.x === "string",
    )
  );
}
