import { type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AimassError, type Clock } from "@aimass/core";
import { BoundedCache } from "./bounded-cache.ts";
import { importPrivateJwk, importPublicJwk, type PrivateJwk, type PublicJwk } from "./ed25519.ts";
import { unauthenticated } from "./encoding.ts";
import { acceptedTime, signJwt, verifyJwt } from "./jwt.ts";

/** The identity file of a process. */
export interface IdentityDocument {
  readonly role: string;
  /** Empty: the process makes a random one. */
  readonly instance: string;
  readonly keyId: string;
  readonly privateJwk: PrivateJwk;
}

/** The trust file: the public keys of the mesh. */
export interface TrustDocument {
  readonly keys: readonly { readonly keyId: string; readonly role: string; readonly publicJwk: PublicJwk }[];
}

const tokenType = "aimass-service+jwt";
const audience = "aimass-mesh";
const lifeMs = 300_000;
const renewAfterMs = 150_000;
/** A token younger than this was made by the clock as it is: another one would say the same. */
const leastAgeMs = 1000;

/** The reason of a service token that does not hold: a fault inside the mesh, never one of whoever calls the mesh. */
export const serviceTokenRefused = "SERVICE_TOKEN_REFUSED";

/** Header of an answer with which a service of the mesh refuses the sender's service token; its value is that reason. Never passed on to clients. */
export const refusedTokenHeader = "aimass-refused";

/** Who this process is in the mesh, and whom it trusts: makes and verifies the service tokens on every internal call. */
export class ServiceIdentity {
  readonly role: string;
  readonly instance: string;
  readonly #keyId: string;
  readonly #privateKey: KeyObject;
  readonly #trusted: ReadonlyMap<string, { role: string; key: KeyObject }>;
  readonly #clock: Clock;
  readonly #verified = new BoundedCache<{ role: string; instance: string }>(4096);
  #token: { readonly text: string; readonly issuedAtMs: number; readonly madeAt: number } | undefined;

  constructor(identity: IdentityDocument, trust: TrustDocument, clock: Clock) {
    this.role = identity.role;
    this.instance = identity.instance === "" ? randomBytes(4).toString("hex") : identity.instance;
    this.#keyId = identity.keyId;
    this.#privateKey = importPrivateJwk(identity.privateJwk);
    this.#trusted = new Map(trust.keys.map((k) => [k.keyId, { role: k.role, key: importPublicJwk(k.publicJwk) }]));
    this.#clock = clock;
  }

  /** Reads the files that AIMASS_IDENTITY_FILE and AIMASS_TRUST_FILE name. Throws FAILED_PRECONDITION with what is wrong with them. */
  static async load(identityFile: string, trustFile: string, clock: Clock): Promise<ServiceIdentity> {
    const identity = await readDocument<IdentityDocument>(identityFile, "identity", isIdentityDocument);
    const trust = await readDocument<TrustDocument>(trustFile, "trust", isTrustDocument);
    return new ServiceIdentity(identity, trust, clock);
  }

  /** The name of this process among its kind, "router/5f2c91aa". */
  get name(): string {
    return `${this.role}/${this.instance}`;
  }

  /**
   * This process's service token, good for at least two more minutes; kept, and renewed by its age. Its age counts by the monotonic clock as well, and
   * one that was made in what is now the future is made anew: a clock that was ahead and was set right must not leave a token nobody takes.
   */
  token(): string {
    const now = this.#clock.now();
    const madeAt = this.#clock.monotonic();
    if (this.#token === undefined || isOld(this.#token, now, madeAt)) {
      const claims = {
        iss: this.role,
        sub: `service:${this.role}`,
        aud: audience,
        instance: this.instance,
        iat: now / 1000,
        exp: (now + lifeMs) / 1000,
      };
      const key = { keyId: this.#keyId, privateKey: this.#privateKey };
      this.#token = { text: signJwt(key, tokenType, claims), issuedAtMs: now, madeAt };
    }
    return this.#token.text;
  }

  /** A peer refused the token: the next call makes another one, unless this one is new. */
  dropToken(): void {
    const age = this.#clock.monotonic() - (this.#token?.madeAt ?? 0);
    if (age >= leastAgeMs) this.#token = undefined;
  }

  /** Who sent a service token. Throws UNAUTHENTICATED (SERVICE_TOKEN_REFUSED). A token seen before costs one look-up. */
  verify(token: string): { role: string; instance: string } {
    const now = this.#clock.now();
    const known = this.#verified.get(token, now);
    if (known !== undefined) return known;
    try {
      return this.#verifyAnew(token, now);
    } catch (error) {
      const { message, remedy } = AimassError.from(error);
      const facts = { reason: serviceTokenRefused, cause: error, ...(remedy !== undefined && { remedy }) };
      throw new AimassError("UNAUTHENTICATED", message, facts);
    }
  }

  #verifyAnew(token: string, now: number): { role: string; instance: string } {
    const expected = { type: tokenType, audience, maxLifeMs: lifeMs };
    const { keyId, claims } = verifyJwt(token, (id) => this.#trusted.get(id)?.key, expected, now);
    const role = (this.#trusted.get(keyId) as { role: string }).role;
    if (claims.iss !== role || claims.sub !== `service:${role}` || typeof claims.instance !== "string") {
      throw unauthenticated("The service token claims a role its key does not have.");
    }
    const service = Object.freeze({ role, instance: claims.instance });
    this.#verified.set(token, service, acceptedTime(claims));
    return service;
  }

  /** Signs bytes with this process's key (Ed25519, 64 bytes). */
  sign(bytes: Uint8Array): { keyId: string; signature: Uint8Array } {
    return { keyId: this.#keyId, signature: new Uint8Array(sign(null, bytes, this.#privateKey)) };
  }

  /** Whether a key is one of the mesh. */
  trusts(keyId: string): boolean {
    return this.#trusted.has(keyId);
  }

  /** Whether a service of `role` signed these bytes. False for an unknown key and for one of another role. */
  verifySignature(keyId: string, role: string, bytes: Uint8Array, signature: Uint8Array): boolean {
    const trusted = this.#trusted.get(keyId);
    return (
      trusted !== undefined &&
      trusted.role === role &&
      signature.length === 64 &&
      verify(null, bytes, trusted.key, signature)
    );
  }
}

function isOld(token: { readonly issuedAtMs: number; readonly madeAt: number }, now: number, monotonic: number) {
  const isFromFuture = now < token.issuedAtMs;
  return isFromFuture || now - token.issuedAtMs >= renewAfterMs || monotonic - token.madeAt >= renewAfterMs;
}

async function readDocument<T>(file: string, kind: string, fits: (value: unknown) => value is T): Promise<T> {
  const facts = { remedy: `Let \`aimass up\` write the ${kind} file, or name the right one.` };
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new AimassError("FAILED_PRECONDITION", `The ${kind} file "${file}" cannot be read (${code}).`, {
      ...facts,
      cause,
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (fits(value)) return value;
  } catch {
    // The error below says it.
  }
  throw new AimassError("FAILED_PRECONDITION", `"${file}" is no ${kind} file.`, facts);
}

function isIdentityDocument(value: unknown): value is IdentityDocument {
  const v = value as IdentityDocument | null;
  return (
    typeof v?.role === "string" &&
    typeof v.keyId === "string" &&
    typeof v.privateJwk?.d === "string" &&
    typeof v.instance === "string"
  );
}

function isTrustDocument(value: unknown): value is TrustDocument {
  const v = value as TrustDocument | null;
  return (
    Array.isArray(v?.keys) &&
    v.keys.every(
      (k) => typeof k?.keyId === "string" && typeof k.role === "string" && typeof k.publicJwk?.x === "string",
    )
  );
}
