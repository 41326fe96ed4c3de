import { type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AimassError, type Clock } from "@aimass/core";
import { BoundedCache } from "./bounded-cache.ts";
import { importPrivateJwk } from "./ed25519.ts";
import { unauthenticated } from "./encoding.ts";
import { type IdentityDocument, isIdentityDocument, isTrustDocument, type TrustDocument } from "./identity-document.ts";
import { acceptedTime, signJwt, verifyJwt } from "./jwt.ts";
import { TrustedKeys } from "./trusted-keys.ts";

/** A process of the mesh, as its service token says. */
export interface ServiceSender {
  readonly role: string;
  readonly instance: string;
  /** The machine whose key it has; undefined for roles with one key for all. */
  readonly node?: string | undefined;
}

const tokenType = "aimass-service+jwt";
const audience = "aimass-mesh";
const lifeMs = 300_000;
const renewAfterMs = 150_000;
/** A token younger than this was made by the clock as it is: another one would say the same. */
const leastAgeMs = 1000;

/** The reason of a service token that does not hold: a fault inside the mesh, never one of whoever calls the mesh. */
export const serviceTokenRefused = "SERVICE_TOKEN_REFUSED";

/** The reason with which a key that was revoked is refused. */
export const keyRevoked = "KEY_REVOKED";

/** Header of an answer with which a service of the mesh refuses the sender's service token; its value is that reason. Never passed on to clients. */
export const refusedTokenHeader = "aimass-refused";

/** Who this process is in the mesh, and whom it trusts: makes and verifies the service tokens on every internal call. */
export class ServiceIdentity {
  readonly role: string;
  readonly instance: string;
  /** The machine whose key this is; undefined for a role with one key for all. */
  readonly node: string | undefined;
  readonly #keyId: string;
  readonly #privateKey: KeyObject;
  readonly #trusted: TrustedKeys;
  readonly #clock: Clock;
  #verified = new BoundedCache<ServiceSender>(4096);
  /** The generation of keys that they were verified by. */
  #verifiedBy = 0;
  #token: { readonly text: string; readonly issuedAtMs: number; readonly madeAt: number } | undefined;

  /** `trustFile`: looked at again when it changes, so that a key that is added or revoked counts within seconds. */
  constructor(identity: IdentityDocument, trust: TrustDocument, clock: Clock, trustFile?: string) {
    this.role = identity.role;
    this.node = identity.node;
    this.instance = identity.instance === "" ? randomBytes(4).toString("hex") : identity.instance;
    this.#keyId = identity.keyId;
    this.#privateKey = importPrivateJwk(identity.privateJwk);
    this.#trusted = new TrustedKeys(trust, { clock, file: trustFile });
    this.#clock = clock;
  }

  /** Reads the files that AIMASS_IDENTITY_FILE and AIMASS_TRUST_FILE name. Throws FAILED_PRECONDITION with what is wrong with them. */
  static async load(identityFile: string, trustFile: string, clock: Clock): Promise<ServiceIdentity> {
    const identity = await readDocument<IdentityDocument>(identityFile, "identity", isIdentityDocument);
    const trust = await readDocument<TrustDocument>(trustFile, "trust", isTrustDocument);
    return new ServiceIdentity(identity, trust, clock, trustFile);
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

  /**
   * Who sent a service token. A token seen before costs one look-up. Throws UNAUTHENTICATED (SERVICE_TOKEN_REFUSED), and PERMISSION_DENIED (KEY_REVOKED) for a
   * key that was revoked.
   */
  verify(token: string): ServiceSender {
    const generation = this.#trusted.refresh();
    if (generation !== this.#verifiedBy) {
      this.#verified = new BoundedCache(4096);
      this.#verifiedBy = generation;
    }
    const now = this.#clock.now();
    const known = this.#verified.get(token, now);
    if (known !== undefined) return known;
    try {
      return this.#verifyAnew(token, now);
    } catch (error) {
      if (error instanceof AimassError && error.reason === keyRevoked) throw error;
      const { message, remedy } = AimassError.from(error);
      const facts = { reason: serviceTokenRefused, cause: error, ...(remedy !== undefined && { remedy }) };
      throw new AimassError("UNAUTHENTICATED", message, facts);
    }
  }

  #verifyAnew(token: string, now: number): ServiceSender {
    const expected = { type: tokenType, audience, maxLifeMs: lifeMs };
    const { keyId, claims } = verifyJwt(token, (id) => this.#trusted.find(id)?.key, expected, now);
    const { role, node, revoked } = this.#trusted.find(keyId) as { role: string; node?: string; revoked: boolean };
    if (claims.iss !== role || claims.sub !== `service:${role}` || typeof claims.instance !== "string") {
      throw unauthenticated("The service token claims a role its key does not have.");
    }
    if (revoked) throw revokedKey(role, node);
    const service = Object.freeze({ role, instance: claims.instance, ...(node !== undefined && { node }) });
    this.#verified.set(token, service, acceptedTime(claims));
    return service;
  }

  /** Signs bytes with this process's key (Ed25519, 64 bytes). */
  sign(bytes: Uint8Array): { keyId: string; signature: Uint8Array } {
    return { keyId: this.#keyId, signature: new Uint8Array(sign(null, bytes, this.#privateKey)) };
  }

  /** Whether a key is one of the mesh. */
  trusts(keyId: string): boolean {
    this.#trusted.refresh();
    return this.#trusted.find(keyId)?.revoked === false;
  }

  /** For streams that outlast a token: whether a machine's key still counts. Throws PERMISSION_DENIED (KEY_REVOKED). */
  assertTrusted({ role, node }: ServiceSender): void {
    this.#trusted.refresh();
    if (!this.#trusted.hasKeyOf(role, node)) throw revokedKey(role, node);
  }

  /** Whether a service of `role` signed these bytes. False for an unknown key and for one of another role. */
  verifySignature(keyId: string, role: string, bytes: Uint8Array, signature: Uint8Array): boolean {
    this.#trusted.refresh();
    const trusted = this.#trusted.find(keyId);
    return (
      trusted !== undefined &&
      !trusted.revoked &&
      trusted.role === role &&
      signature.length === 64 &&
      verify(null, bytes, trusted.key, signature)
    );
  }
}

function revokedKey(role: string, node: string | undefined): AimassError {
  const whose = node === undefined ? `The key of the role ${role}` : `The key of the node ${node}`;
  return new AimassError("PERMISSION_DENIED", `${whose} was revoked.`, {
    reason: keyRevoked,
    remedy: node === undefined ? "Give it a new one." : `Give it a new one: aimass admin add-node ${node}`,
  });
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
