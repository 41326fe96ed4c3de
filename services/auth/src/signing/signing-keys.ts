import type { KeyObject } from "node:crypto";
import { AimassError, type Clock } from "@aimass/core";
import {
  accessTokenLifeMs,
  clockSkewMs,
  generateSigningKey,
  importPrivateJwk,
  type PrivateJwk,
  policyEntryKey,
  rawPublicKey,
} from "@aimass/identity";
import type { AuthStore } from "../database.ts";
import type { PolicyChange, PolicyWriter } from "../policy/policy-change.ts";
import type { Seal } from "./seal.ts";

/** A key that signs access tokens and heads of the ledger. */
export interface SigningKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** A new key signs only after enforcers have surely heard of it. */
const announceMs = 15_000;
/** After its successor is active, a key verifies for as long as a token it signed may live. */
const lingerMs = accessTokenLifeMs + clockSkewMs;

/**
 * The keys that sign access tokens. They live in the database, private parts encrypted, and rotate: made, announced in the policy, active, replaced,
 * retired. Public parts are kept for good, so that old heads of the ledger can be verified.
 */
export class SigningKeys {
  readonly #writer: PolicyWriter;
  readonly #store: AuthStore;
  readonly #seal: Seal;
  readonly #clock: Clock;
  #opened = new Map<string, KeyObject>();
  #known: { readAtMs: number; keys: { id: string; activeAtMs: number; sealed: Uint8Array }[] } | undefined;

  constructor(options: { writer: PolicyWriter; seal: Seal; clock: Clock }) {
    this.#writer = options.writer;
    this.#store = options.writer.store;
    this.#seal = options.seal;
    this.#clock = options.clock;
  }

  /**
   * The key to sign with now. Read from the database at most once in five seconds, so that every process follows a rotation.
   * Throws FAILED_PRECONDITION when it was encrypted with another secret.
   */
  async current(): Promise<SigningKey> {
    const now = this.#clock.now();
    if (this.#known === undefined || now - this.#known.readAtMs > 5000) this.#known = await this.#read(now);
    const { keys } = this.#known;
    const newest = keys.filter((key) => key.activeAtMs <= now)[0] ?? keys[0];
    if (newest === undefined) throw new AimassError("UNAVAILABLE", "There is no signing key yet.");
    return { keyId: newest.id, privateKey: this.#open(newest.id, newest.sealed) };
  }

  /** The JSON Web Key Set (RFC 7517) that verifies access tokens: the current key, the one before, and an announced one. */
  async jwks(): Promise<string> {
    const rows = await this.#store.db
      .selectFrom("signing_key")
      .select(["id", "public_key"])
      .where("sealed_private_key", "is not", null)
      .orderBy("created_at", "desc")
      .execute();
    const keys = rows.map((row) => ({
      kty: "OKP",
      crv: "Ed25519",
      use: "sig",
      alg: "EdDSA",
      kid: row.id,
      x: Buffer.from(row.public_key).toString("base64url"),
    }));
    return JSON.stringify({ keys });
  }

  /** Raw public keys by id, of all times. */
  async publicKeys(): Promise<ReadonlyMap<string, Uint8Array>> {
    const rows = await this.#store.db.selectFrom("signing_key").select(["id", "public_key"]).execute();
    return new Map(rows.map((row) => [row.id, row.public_key]));
  }

  /** Makes the first key, makes a new one when the newest is older than `maxAgeMs`, and retires those whose time is over. */
  async maintain(maxAgeMs: number): Promise<void> {
    const now = this.#clock.now();
    const rows = await this.#liveKeys();
    const due = rows[0] === undefined || now - rows[0].created_at.getTime() >= maxAgeMs;
    const over = rows.some((row) => row.retires_at !== null && row.retires_at.getTime() <= now);
    if (!due && !over) return;
    await this.#writer.change(async (change) => {
      await this.#retire(change, now);
      const newest = await change.tx
        .selectFrom("signing_key")
        .select("created_at")
        .where("retires_at", "is", null)
        .executeTakeFirst();
      if (newest === undefined || now - newest.created_at.getTime() >= maxAgeMs)
        await this.#add(change, now, newest === undefined);
    });
    this.#known = undefined;
  }

  async #add(change: PolicyChange, now: number, first: boolean): Promise<void> {
    const { keyId, privateJwk, publicJwk } = generateSigningKey();
    const activeAt = now + (first ? 0 : announceMs);
    await change.tx
      .updateTable("signing_key")
      .set({ retires_at: new Date(activeAt + lingerMs) })
      .where("retires_at", "is", null)
      .execute();
    await change.tx
      .insertInto("signing_key")
      .values({
        id: keyId,
        public_key: Buffer.from(rawPublicKey(publicJwk)),
        sealed_private_key: this.#seal.close(keyId, Buffer.from(JSON.stringify(privateJwk))),
        created_at: new Date(now),
        active_at: new Date(activeAt),
        retires_at: null,
      })
      .execute();
    change.touch(policyEntryKey.signingKey(keyId));
  }

  async #retire(change: PolicyChange, now: number): Promise<void> {
    const gone = await change.tx
      .updateTable("signing_key")
      .set({ sealed_private_key: null })
      .where("sealed_private_key", "is not", null)
      .where("retires_at", "<=", new Date(now))
      .returning("id")
      .execute();
    for (const { id } of gone) change.touch(policyEntryKey.signingKey(id));
  }

  async #read(now: number) {
    const rows = await this.#liveKeys();
    const keys = rows.map((row) => ({
      id: row.id,
      activeAtMs: row.active_at.getTime(),
      sealed: row.sealed_private_key as Uint8Array,
    }));
    return { readAtMs: now, keys };
  }

  /** Newest first. */
  #liveKeys() {
    return this.#store.db
      .selectFrom("signing_key")
      .selectAll()
      .where("sealed_private_key", "is not", null)
      .orderBy("created_at", "desc")
      .execute();
  }

  #open(keyId: string, sealed: Uint8Array): KeyObject {
    const known = this.#opened.get(keyId);
    if (known !== undefined) return known;
    const plain = this.#seal.open(keyId, sealed);
    if (plain === undefined) {
      throw new AimassError("FAILED_PRECONDITION", `Signing key ${keyId} cannot be opened with AIMASS_AUTH_SECRET.`, {
        reason: "WRONG_SECRET",
        remedy:
          "Put the secret back that made it; or empty the table auth.signing_key, which ends all access tokens, and start again.",
      });
    }
    const key = importPrivateJwk(JSON.parse(plain.toString("utf8")) as PrivateJwk);
    this.#opened = new Map([...this.#opened, [keyId, key]]);
    return key;
  }
}
