import { readFile } from "node:fs/promises";
import { PolicyEntrySchema, type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { AimassError, atOnce, type Clock, inTurns, type Pieces, writeWhole } from "@aimass/core";
import { create, fromBinary } from "@bufbuild/protobuf";
import { clockSkewMs } from "./jwt.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Freshness, Policy } from "./policy.ts";
import { readPolicyEntry } from "./policy-entry.ts";
import { PolicyIndex } from "./policy-index.ts";
import { type PolicyHead, policyHead, policySigningBytes } from "./policy-update.ts";
import { type EncodedUpdate, encodedUpdate, policyChunks, readEncodedUpdate } from "./policy-wire.ts";
import type { ServiceIdentity } from "./service-identity.ts";

/** Facts that are changed in place, in one turn; more of them make another state beside the one that answers. */
const smallChange = 256;

/**
 * Holds the newest policy an enforcer knows. Takes updates from the auth service, believes them only when signature, order and digest fit, and keeps the
 * state before when they do not.
 */
export class PolicyStore {
  readonly policy: Policy;
  readonly #identity: ServiceIdentity;
  readonly #clock: Clock;
  readonly #index = new PolicyIndex();
  readonly #listeners = new Set<() => void>();
  #state = new KeyedState();
  #update: PolicyUpdate = create(PolicyUpdateSchema);
  #freshness: Freshness = { issuedAtMs: 0, maxAgeMs: 0 };
  /** How often the state has changed. */
  #changes = 0;
  #applying: Promise<void> = Promise.resolve();

  constructor(options: { identity: ServiceIdentity; clock: Clock }) {
    this.#identity = options.identity;
    this.#clock = options.clock;
    this.policy = new Policy(this.#index, () => this.#freshness);
  }

  /** The epoch of the state; "" while there is none. */
  get epoch(): string {
    return this.#update.epoch;
  }

  /** The version of the state; 0n while there is none. */
  get version(): bigint {
    return this.#update.version;
  }

  /** How many facts the state has. */
  get size(): number {
    return this.#state.size;
  }

  /** Milliseconds since the auth service said that this state is the newest; Infinity while there is none. */
  ageMs(): number {
    return this.#freshness.issuedAtMs === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(0, this.#clock.now() - this.#freshness.issuedAtMs);
  }

  /** Calls back after each change of the state (not for signs of life) until disposed: long streams decide again then. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * Takes an update. Throws, with the state as before:
   * UNAUTHENTICATED (POLICY_SIGNATURE) when the auth service did not sign it or it comes from the future;
   * FAILED_PRECONDITION (POLICY_ROLLBACK) when it is older than what is held; FAILED_PRECONDITION (POLICY_GAP) when it does not continue what is
   * held, or its digest does not fit: the caller then asks for a full one.
   */
  apply(update: PolicyUpdate): void {
    atOnce(this.#take(encodedUpdate(update)));
  }

  /**
   * `apply` of a PolicyUpdate in its bytes, a few milliseconds at a time. The state before answers until the whole of it is taken. Updates are taken in
   * the order of the calls.
   */
  applyEncoded(bytes: Uint8Array): Promise<void> {
    const applied = this.#applying.then(() => inTurns(this.#takeEncoded(bytes), this.#clock));
    this.#applying = applied.catch(() => {});
    return applied;
  }

  /** The whole state as one signed full update; any process that trusts the auth service can check it. */
  toBytes(): Uint8Array {
    return Buffer.concat([...policyChunks(this.#update, this.#state.values())]);
  }

  /**
   * Writes the state as it is now to a file (mode 0600), whole or not at all, in pieces that leave the event loop free between them. Does nothing while
   * there is none.
   */
  async save(file: string): Promise<void> {
    if (this.version === 0n) return;
    await writeWhole(file, policyChunks(this.#update, this.#state.values()));
  }

  /** Reads a saved state, as `applyEncoded` does; true when it was taken. A file that is missing, damaged, tampered with or older than what is held is left alone. */
  async load(file: string): Promise<boolean> {
    try {
      await this.applyEncoded(await readFile(file));
      return true;
    } catch {
      return false;
    }
  }

  *#takeEncoded(bytes: Uint8Array): Pieces<void> {
    yield* this.#take(yield* readEncodedUpdate(bytes));
  }

  *#take({ head: update, entries }: EncodedUpdate): Pieces<void> {
    const head = policyHead(update);
    this.#assertSigned(update, head);
    this.#assertOrder(update, head);
    const isLarge = update.full || entries.length + update.removedKeys.length > smallChange;
    const changed = isLarge ? yield* this.#replace(update, entries) : this.#continue(update, entries);
    this.#takeHead(update, head);
    if (!changed) return;
    this.#changes += 1;
    this.policy.forget();
    for (const listener of this.#listeners) listener();
  }

  #takeHead(update: PolicyUpdate, head: PolicyHead): void {
    const maxAgeMs = Number(head.maxAgeSeconds) * 1000;
    if (maxAgeMs !== this.#freshness.maxAgeMs) this.policy.forget();
    this.#update = { ...update, entries: [], removedKeys: [] };
    this.#freshness = { issuedAtMs: Math.max(head.issuedAtMs, this.#lastIssuedAtMs()), maxAgeMs };
  }

  #assertSigned(update: PolicyUpdate, head: PolicyHead): void {
    const bytes = policySigningBytes(head);
    if (!this.#identity.verifySignature(update.keyId, "auth", bytes, update.signature)) {
      throw new AimassError("UNAUTHENTICATED", "The policy update is not signed by the auth service.", {
        reason: "POLICY_SIGNATURE",
      });
    }
    if (head.issuedAtMs > this.#clock.now() + clockSkewMs) {
      throw new AimassError("UNAUTHENTICATED", "The policy update comes from the future.", {
        reason: "POLICY_SIGNATURE",
        remedy: "Compare the clocks of the machines.",
      });
    }
  }

  #assertOrder(update: PolicyUpdate, head: PolicyHead): void {
    const sameEpoch = head.epoch === this.epoch;
    if (!sameEpoch && !update.full && this.version !== 0n) throw gap("belongs to another epoch");
    if (this.version === 0n && !update.full) throw gap("continues a state that is not held");
    const older = sameEpoch ? head.version < this.version : head.issuedAtMs < this.#lastIssuedAtMs() - clockSkewMs;
    if (older) {
      throw new AimassError("FAILED_PRECONDITION", "The policy update is older than the state that is held.", {
        reason: "POLICY_ROLLBACK",
      });
    }
  }

  /** When what is held was last called the newest; 0 when that was said by a clock that was ahead and has been set right, which says nothing. */
  #lastIssuedAtMs(): number {
    const { issuedAtMs } = this.#freshness;
    return issuedAtMs > this.#clock.now() + clockSkewMs ? 0 : issuedAtMs;
  }

  /** Makes the state after beside the state before, in pieces, and puts it in its place at once. False when it is the same. */
  *#replace(update: PolicyUpdate, entries: readonly Uint8Array[]): Pieces<boolean> {
    const before = this.#state;
    const changesBefore = this.#changes;
    const after = new KeyedState();
    const index = new PolicyIndex();
    after.keepOrder();
    const keep = (key: string) => {
      after.adopt(key, before);
      index.put(key, this.#index.fact(key));
    };
    const removed = new Set(update.removedKeys);
    for (const key of update.full ? [] : before.keys()) {
      if (!removed.has(key)) keep(key);
      yield;
    }
    let isSame = update.full || removed.size === 0;
    for (const bytes of entries) {
      const entry = fromBinary(PolicyEntrySchema, bytes);
      const held = before.get(entry.key);
      if (held !== undefined && equalBytes(held, bytes)) {
        keep(entry.key);
      } else {
        isSame = false;
        // Of its own: the whole message would stay for as long as one of its entries.
        after.set(entry.key, Buffer.from(bytes));
        index.put(entry.key, readPolicyEntry(entry));
      }
      yield;
    }
    const digest = yield* after.digestInPieces();
    if (!equalBytes(digest, update.digest)) throw gap(misfit(update));
    if (this.#changes !== changesBefore) this.#assertStillNext(update);
    isSame &&= after.size === before.size;
    this.#state = after;
    this.#index.become(index);
    return !isSame;
  }

  /** Another update was taken while this one was prepared. */
  #assertStillNext(update: PolicyUpdate): void {
    if (!update.full) throw gap("was overtaken by another one");
    this.#assertOrder(update, policyHead(update));
  }

  /** Continues what is held, in place. False for a sign of life. */
  #continue(update: PolicyUpdate, entries: readonly Uint8Array[]): boolean {
    const facts = new Map(
      entries.map((bytes) => {
        const entry = fromBinary(PolicyEntrySchema, bytes);
        return [entry.key, { bytes: Buffer.from(bytes), fact: readPolicyEntry(entry) }] as const;
      }),
    );
    const changed = new Map([...facts].map(([key, { bytes }]) => [key, bytes] as const));
    const undo = this.#state.apply({ changed, removed: update.removedKeys });
    if (!equalBytes(this.#state.digest(), update.digest)) {
      this.#state.apply(undo);
      throw gap(misfit(update));
    }
    for (const key of update.removedKeys) this.#index.remove(key);
    for (const [key, { fact }] of facts) this.#index.put(key, fact);
    return update.removedKeys.length > 0 || facts.size > 0;
  }
}

function misfit({ full }: PolicyUpdate): string {
  return full
    ? "has a digest that does not fit its entries"
    : "does not lead from the state that is held to its digest";
}

function gap(what: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The policy update ${what}.`, {
    reason: "POLICY_GAP",
    remedy: "Ask for a full snapshot.",
  });
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
