import { readFile } from "node:fs/promises";
import { PolicyEntrySchema, type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { AimassError, type Clock } from "@aimass/core";
import { create, fromBinary } from "@bufbuild/protobuf";
import { clockSkewMs } from "./jwt.ts";
import { type KeyedDifference, KeyedState } from "./keyed-state.ts";
import { type Freshness, Policy } from "./policy.ts";
import { readPolicyEntry } from "./policy-entry.ts";
import { policyChunks, writeWhole } from "./policy-file.ts";
import { PolicyIndex } from "./policy-index.ts";
import { type PolicyHead, policyEntryBytes, policyHead, policySigningBytes } from "./policy-update.ts";
import type { ServiceIdentity } from "./service-identity.ts";

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
    const head = policyHead(update);
    this.#assertSigned(update, head);
    this.#assertOrder(update, head);
    const changed = update.full ? this.#replace(update) : this.#continue(update);
    this.#takeHead(update, head);
    if (!changed) return;
    this.policy.forget();
    for (const listener of this.#listeners) listener();
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

  /** Reads a saved state; true when it was taken. A file that is missing, damaged, tampered with or older than what is held is left alone. */
  async load(file: string): Promise<boolean> {
    try {
      this.apply(fromBinary(PolicyUpdateSchema, await readFile(file)));
      return true;
    } catch {
      return false;
    }
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

  /** Starts from nothing. False when the state stays what it was. */
  #replace(update: PolicyUpdate): boolean {
    const state = new KeyedState(update.entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const));
    if (!equalBytes(state.digest(), update.digest)) throw gap("has a digest that does not fit its entries");
    const difference = KeyedState.diff(this.#state, state);
    this.#state = state;
    return this.#indexDifference(difference);
  }

  /** Continues what is held. False for a sign of life. */
  #continue(update: PolicyUpdate): boolean {
    const difference: KeyedDifference = {
      changed: new Map(update.entries.map((entry) => [entry.key, policyEntryBytes(entry)])),
      removed: update.removedKeys,
    };
    const undo = this.#state.apply(difference);
    if (!equalBytes(this.#state.digest(), update.digest)) {
      this.#state.apply(undo);
      throw gap("does not lead from the state that is held to its digest");
    }
    return this.#indexDifference(difference);
  }

  #indexDifference(difference: KeyedDifference): boolean {
    for (const key of difference.removed) this.#index.remove(key);
    for (const [key, bytes] of difference.changed)
      this.#index.put(key, readPolicyEntry(fromBinary(PolicyEntrySchema, bytes)));
    return difference.removed.length > 0 || difference.changed.size > 0;
  }
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
