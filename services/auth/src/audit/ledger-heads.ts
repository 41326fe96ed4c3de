import { sign, verify } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@aimass/core";
import { importPublicJwk } from "@aimass/identity";
import type { Logger } from "@aimass/telemetry";
import type { AuthStore } from "../database.ts";
import type { SigningKeys } from "../signing/signing-keys.ts";
import { headBytes } from "./audit-chain.ts";
import type { Ledger } from "./ledger.ts";
import { fromLine, fromRow, type SignedHead, toLine } from "./signed-head.ts";
import type { StoredHeads } from "./stored-heads.ts";

export interface LedgerHeadsOptions {
  readonly store: AuthStore;
  readonly ledger: Ledger;
  readonly keys: SigningKeys;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined: heads go to the log and the database alone. */
  readonly stateDirectory: string | undefined;
  /** Gets each head as JSON by POST; undefined: nobody does. */
  readonly webhookUrl: string | undefined;
  /** Those that were written to the artifact store; undefined: there is none. */
  readonly stored: StoredHeads | undefined;
}

/** A webhook that takes longer is given up; the next head stands for all before it. */
const webhookTimeoutMs = 5000;

const fileName = "audit-heads.jsonl";

/** Signed heads of the ledger, and the copies of them kept outside of it: who rewrites the ledger must rewrite those too. */
export class LedgerHeads {
  readonly #o: LedgerHeadsOptions;

  constructor(options: LedgerHeadsOptions) {
    this.#o = options;
  }

  /** Signs the ledger's head as it is now. */
  async signed(): Promise<SignedHead> {
    const { sequence, hash } = await this.#o.ledger.head();
    const signedAtMs = this.#o.clock.now();
    const key = await this.#o.keys.current();
    const signature = new Uint8Array(sign(null, headBytes({ sequence, hash, signedAtMs }), key.privateKey));
    return { sequence, hash, signedAtMs, keyId: key.keyId, signature };
  }

  /**
   * Exports the head unless it was already: to the database, the log, the file `audit-heads.jsonl` where there is a state directory, and the webhook where
   * there is one. From the database it goes to the artifact store (`StoredHeads`).
   */
  async export(): Promise<void> {
    const head = await this.signed();
    if (head.sequence === 0n) return;
    const { numInsertedOrUpdatedRows } = await this.#o.store.db
      .insertInto("audit_head")
      .values({
        sequence: head.sequence.toString(),
        hash: Buffer.from(head.hash),
        signed_at: new Date(head.signedAtMs),
        key_id: head.keyId,
        signature: Buffer.from(head.signature),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows !== 1n) return;
    this.#o.log.info("ledger head signed", toLine(head));
    await this.#appendToFile(head);
    await this.#post(head);
  }

  /** The exported heads, from the database, the file and the artifact store, whose signatures hold; and the first that does not. */
  async exported(signal: AbortSignal): Promise<{ valid: SignedHead[]; forged: SignedHead | undefined }> {
    const keys = await this.#o.keys.publicKeys();
    const holds = (head: SignedHead) => {
      const x = keys.get(head.keyId);
      if (x === undefined) return false;
      const key = importPublicJwk({ kty: "OKP", crv: "Ed25519", x: Buffer.from(x).toString("base64url") });
      return verify(null, headBytes(head), key, head.signature);
    };
    const near = [...(await this.#fromDatabase()), ...(await this.#fromFile())];
    const far = (await this.#o.stored?.beside(near.filter(holds), signal)) ?? [];
    const heads = [...near, ...far];
    return { valid: heads.filter(holds), forged: heads.find((head) => !holds(head)) };
  }

  async #fromDatabase(): Promise<SignedHead[]> {
    const rows = await this.#o.store.db.selectFrom("audit_head").selectAll().orderBy("sequence").execute();
    return rows.map(fromRow);
  }

  async #fromFile(): Promise<SignedHead[]> {
    if (this.#o.stateDirectory === undefined) return [];
    const text = await readFile(join(this.#o.stateDirectory, fileName), "utf8").catch(() => "");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => fromLine(JSON.parse(line)));
  }

  async #appendToFile(head: SignedHead): Promise<void> {
    if (this.#o.stateDirectory === undefined) return;
    await mkdir(this.#o.stateDirectory, { recursive: true });
    await appendFile(join(this.#o.stateDirectory, fileName), `${JSON.stringify(toLine(head))}\n`, { mode: 0o600 });
  }

  async #post(head: SignedHead): Promise<void> {
    if (this.#o.webhookUrl === undefined) return;
    try {
      const response = await fetch(this.#o.webhookUrl, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(toLine(head)),
        signal: AbortSignal.timeout(webhookTimeoutMs),
      });
      if (!response.ok) this.#o.log.warn("webhook refused the ledger head", { status: response.status });
    } catch (error) {
      this.#o.log.warn("webhook did not take the ledger head", { error });
    }
  }
}
